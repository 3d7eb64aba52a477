// Usage: node .ci/summary.mjs <vitest's JSON report> <exit code of the check> <exit code of the tests>
// Prints the summary and exits with 1 unless everything passed and something was run.
import { readFileSync } from 'node:fs';

const [reportFile, checkStatus, testStatus] = process.argv.slice(2);

function readReport() {
  try {
    return JSON.parse(readFileSync(reportFile, 'utf8'));
  } catch {
    console.log('There is no report of the tests: they did not get as far.');
    return { testResults: [] };
  }
}

let passed = 0;
let failed = 0;
for (const { name, status, assertionResults } of readReport().testResults) {
  const notPassed = assertionResults.filter((result) => result.status !== 'passed');
  passed += assertionResults.length - notPassed.length;
  failed += notPassed.length;
  for (const result of notPassed) console.log(`${result.status}: ${name}: ${result.fullName}`);
  if (status === 'failed' && !assertionResults.some((result) => result.status === 'failed')) {
    failed += 1;
    console.log(`failed: ${name} could not be run to its end`);
  }
}
if (checkStatus !== '0') {
  failed += 1;
  console.log('failed: npm run check');
}
if (testStatus !== '0' && failed === 0) {
  failed += 1;
  console.log(`failed: npm test ended with ${testStatus} for another reason than a test; see above`);
}
if (passed === 0) console.log('No test has passed.');
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
