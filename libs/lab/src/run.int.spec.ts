import { run, waitFor } from '.';

describe('a command', () => {
  it('answers what it printed', async () => {
    expect(await run('cat', [], { input: 'hello' })).toEqual({ stdout: 'hello', stderr: '' });
  });

  it('says its status and what it complained about when it fails', async () => {
    const failing = run('sh', ['-c', 'echo not today >&2; exit 3']);
    await expect(failing).rejects.toThrow('`sh -c echo not today >&2; exit 3` failed with status 3: not today');
    await expect(failing).rejects.toMatchObject({ reason: 'unavailable', exitCode: 3, stderr: 'not today\n' });
  });

  it('is killed on its deadline', async () => {
    await expect(run('sleep', ['60'], { timeoutMs: 50 })).rejects.toThrow('`sleep 60` did not end within 50 ms.');
  });

  it('says that it could not be started', async () => {
    await expect(run('no-such-command', [])).rejects.toThrow('`no-such-command` could not be started.');
  });

  it('may end without reading its input', async () => {
    expect((await run('true', [], { input: 'x'.repeat(1_000_000) })).stdout).toBe('');
  });
});

describe('waiting for a condition', () => {
  it('answers what the condition answered', async () => {
    let calls = 0;
    expect(await waitFor(() => (++calls < 3 ? undefined : calls), { what: 'three calls', everyMs: 1 })).toBe(3);
  });

  it('takes an error for a condition that does not hold, and shows the last one', async () => {
    const never = waitFor(() => Promise.reject(new Error('no lease')), { what: 'a lease', deadlineMs: 20, everyMs: 1 });
    await expect(never).rejects.toMatchObject({
      message: 'Waited 20 ms in vain for a lease',
      cause: { message: 'no lease' },
    });
  });
});
