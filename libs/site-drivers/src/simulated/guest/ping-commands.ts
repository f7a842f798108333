import { type Ip, isIp, ipVersion } from '@weir/kernel';
import { type Command, type CommandContext, NotSimulated } from './command';
import { ECHO_DATA_BYTES, type EchoNews, type EchoReport, ping as askForEchoes } from './ping';

interface Asked {
  readonly target: Ip;
  readonly count: number;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly isQuiet: boolean;
}

const INTERVAL_MS = 1_000;
/** As ping waits where nothing answers. */
const LINGER_MS = 10_000;
const PROBE_MS = 1_000;
/** As ping bounds it for whoever is not root. */
const LEAST_INTERVAL_MS = 2;
const USAGE_STATUS = 2;
const HEADERS_BYTES = 28;
const ICMP_HEADER_BYTES = 8;

/** `ping [-n] [-q] [-c N] [-i SECONDS] [-W SECONDS] ADDRESS`, as iputils writes it. */
export const ping: Command = async (args, context) => {
  const { stack, output, signal } = context;
  const asked = parse('ping', args, LINGER_MS, context);
  if (asked === undefined) return USAGE_STATUS;
  if (!stack.canReach(asked.target)) {
    output.complain('ping: connect: Network is unreachable');
    return USAGE_STATUS;
  }
  output.say(
    `PING ${asked.target} (${asked.target}) ${ECHO_DATA_BYTES}(${ECHO_DATA_BYTES + HEADERS_BYTES}) bytes of data.`,
  );
  const told = (news: EchoNews) => {
    if (!asked.isQuiet) output.say(lineOf(news));
  };
  const report = await askForEchoes(stack, context, asked.target, { ...asked, signal, told });
  output.say('');
  for (const line of summaryOf(asked.target, report)) output.say(line);
  return report.received > 0 ? 0 : 1;
};

/** `arping [-c N] ADDRESS`: who has the address on the link that leads to it. */
export const arping: Command = async (args, context) => {
  const { stack, output, signal, timers, clock } = context;
  const asked = parse('arping', args, PROBE_MS, context);
  if (asked === undefined) return USAGE_STATUS;
  const { target } = asked;
  const by = stack.routeTo(target)?.interface;
  if (by?.lease === undefined) {
    output.complain('arping: no interface leads there');
    return USAGE_STATUS;
  }
  output.say(`ARPING ${target} from ${by.lease.address} ${by.name}`);
  let received = 0;
  let sent = 0;
  while (sent < asked.count && !signal.aborted) {
    const started = clock.monotonic();
    const answered = new Promise<boolean>((resolve) => {
      const done = (found: boolean) => {
        forget();
        cancel();
        signal.removeEventListener('abort', aborted);
        resolve(found);
      };
      const aborted = () => done(false);
      const cancel = timers.after(asked.timeoutMs, () => done(false));
      const forget = by.onArp(({ senderIp, senderMac }) => {
        if (senderIp !== target) return;
        output.say(`Unicast reply from ${target} [${senderMac}]  ${(clock.monotonic() - started).toFixed(3)}ms`);
        done(true);
      });
      signal.addEventListener('abort', aborted);
    });
    by.askWhoHas(target);
    sent++;
    if (await answered) received++;
    if (sent < asked.count && !signal.aborted) await timers.sleep(asked.intervalMs);
  }
  output.say(`Sent ${sent} probes, received ${received} replies`);
  return received > 0 ? 0 : 1;
};

/** Undefined, with a complaint, for what cannot be asked for. */
function parse(
  name: string,
  args: readonly string[],
  timeoutMs: number,
  { output }: CommandContext,
): Asked | undefined {
  const asked = { count: Infinity, intervalMs: INTERVAL_MS, timeoutMs, isQuiet: false };
  let target: string | undefined;
  const rest = [...args];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [flag, attached] = word.startsWith('-') ? [word.slice(0, 2), word.slice(2)] : ['', ''];
    if (flag === '') target ??= word;
    else if (word === '-n') continue;
    else if (word === '-q') asked.isQuiet = true;
    else if (['-c', '-i', '-W', '-w'].includes(flag)) {
      const value = Number(attached === '' ? (rest.shift() ?? NaN) : attached);
      if (!(value > 0)) {
        output.complain(`${name}: ${flag} needs a number above 0`);
        return undefined;
      }
      if (flag === '-c') asked.count = value;
      else if (flag === '-i') asked.intervalMs = Math.max(value * 1_000, LEAST_INTERVAL_MS);
      else asked.timeoutMs = value * 1_000;
    } else throw new NotSimulated(`${name} ${word}`);
  }
  if (target === undefined || !isIp(target) || ipVersion(target as Ip) !== 4) {
    output.complain(`${name}: ${target ?? 'nothing'}: Name or service not known`);
    return undefined;
  }
  return { ...asked, target: target as Ip };
}

function lineOf(news: EchoNews): string {
  if (news.type === 'error') return `From ${news.from} icmp_seq=${news.sequence} ${news.text}`;
  const { from, sequence, ttl, ms, isDuplicate } = news;
  const size = ECHO_DATA_BYTES + ICMP_HEADER_BYTES;
  const answer = `${size} bytes from ${from}: icmp_seq=${sequence} ttl=${ttl} time=${ms.toFixed(3)} ms`;
  return isDuplicate ? `${answer} (DUP!)` : answer;
}

function summaryOf(target: Ip, { sent, received, duplicates, errors, rtts, ms }: EchoReport): readonly string[] {
  const extra = [
    ...(duplicates > 0 ? [`+${duplicates} duplicates`] : []),
    ...(errors > 0 ? [`+${errors} errors`] : []),
    `${sent === 0 ? 0 : Math.round((100 * (sent - received)) / sent)}% packet loss`,
    `time ${Math.round(ms)}ms`,
  ];
  const lines = [
    `--- ${target} ping statistics ---`,
    `${sent} packets transmitted, ${received} received, ${extra.join(', ')}`,
  ];
  if (rtts.length === 0) return lines;
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const average = mean(rtts);
  const deviation = mean(rtts.map((rtt) => Math.abs(rtt - average)));
  const figures = [Math.min(...rtts), average, Math.max(...rtts), deviation].map((value) => value.toFixed(3));
  return [...lines, `rtt min/avg/max/mdev = ${figures.join('/')} ms`];
}
