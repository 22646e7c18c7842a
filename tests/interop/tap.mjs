// The little of TAP that the scripts here need: named checks, a plan at the end, exit status 1 when one failed.
import assert from 'node:assert/strict';

let count = 0;
let failed = 0;

export function check(name, body) {
	count++;
	try {
		body();
		console.log(`ok ${count} - ${name}`);
	} catch (error) {
		failed++;
		console.log(`not ok ${count} - ${name}`);
		console.log(error.message.replace(/^/gm, '# '));
	}
}

export const equal = assert.strictEqual;

export function done() {
	console.log(`1..${count}`);
	process.exitCode = failed === 0 && count > 0 ? 0 : 1;
}
