const { writeFileSync } = require('node:fs');
const { relative } = require('node:path');

const print = (line) => process.stdout.write(`${line}\n`);

/** Without the frames of Jest itself. */
const indent = (message) =>
  message
    .replace(/^\s+at .*node_modules.*\n?/gm, '')
    .replace(/^/gm, '  ')
    .trimEnd();

/**
 * One line per test file, then every failure with its message, then `N passed, N failed` as the last line. A file that could
 * not run counts as a failure. With WEIR_TEST_COUNTS the numbers go to that file instead, for a caller that adds them up.
 */
module.exports = class SummaryReporter {
  onTestResult(test, result) {
    const failed = Boolean(result.testExecError) || result.numFailingTests > 0;
    const seconds = ((result.perfStats.end - result.perfStats.start) / 1000).toFixed(1);
    const path = relative(process.cwd(), result.testFilePath);
    print(`${failed ? 'FAIL' : 'PASS'} ${path} (${result.testResults.length} tests, ${seconds} s)`);
  }

  onRunComplete(_contexts, run) {
    const notRun = run.testResults.filter((file) => Boolean(file.testExecError));
    for (const file of run.testResults) {
      const path = relative(process.cwd(), file.testFilePath);
      const failures = file.testResults.filter((test) => test.status === 'failed');
      for (const test of failures) {
        print(`\nFAILED ${test.fullName}\n  in ${path}`);
        for (const message of test.failureMessages) print(indent(message));
      }
      if (notRun.includes(file)) {
        const { stack, message } = file.testExecError;
        print(`\nFAILED ${path} could not run to its end`);
        print(indent(String(file.failureMessage ?? stack ?? message)));
      }
    }
    const passed = run.numPassedTests;
    const failed = run.numFailedTests + notRun.length + (run.wasInterrupted ? 1 : 0);
    const skipped = run.numPendingTests + run.numTodoTests;
    if (process.env.WEIR_TEST_COUNTS) {
      writeFileSync(process.env.WEIR_TEST_COUNTS, `${passed} ${failed} ${skipped}\n`);
    } else {
      print(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
    }
  }
};
