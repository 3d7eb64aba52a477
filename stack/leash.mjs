/**
 * Runs a program that must not outlive the one that started it: `node leash.mjs <grace in ms> <program> [arguments]`.
 * The leash is its own standard input: when that ends (also because the starter was killed), the program gets SIGTERM
 * and, after the grace, SIGKILL. What becomes of the program is told as lines of JSON on file descriptor 3.
 *
 * Plain JavaScript, because it runs as a process of its own from the sources as well as from the compiled tree.
 */
import { spawn } from 'node:child_process';
import { writeSync } from 'node:fs';

const [graceMs, program, ...args] = process.argv.slice(2);
const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'], windowsHide: true });

function report(message) {
  try {
    writeSync(3, `${JSON.stringify(message)}\n`);
  } catch {
    // The starter is gone: nobody is left to be told.
  }
}

/** The starter made this process the leader of a group: that reaches the program's own children as well, and itself. */
function signalGroup(signal) {
  try {
    process.kill(-process.pid, signal);
  } catch {
    child.kill(signal);
  }
}

let stopping = false;
function stop() {
  if (stopping) return;
  stopping = true;
  signalGroup('SIGTERM');
  setTimeout(() => child.kill('SIGKILL'), Number(graceMs));
}

child.on('spawn', () => report({ pid: child.pid }));
child.on('error', (cause) => {
  report({ error: cause.message });
  process.exit(127);
});
child.on('exit', (code, signal) => {
  report({ code, signal });
  // What the program has left of its own children goes with it, and this process as the last of the group.
  signalGroup('SIGKILL');
  process.exit(0);
});

process.stdin.on('end', stop).on('close', stop).on('error', stop).resume();
process.on('SIGTERM', stop);
// An orderly stop comes by the leash; a Ctrl-C or a closed terminal is for the starter to answer.
for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => undefined);
