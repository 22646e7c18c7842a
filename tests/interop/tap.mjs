// The little of TAP that the scripts here need: named checks, a plan at the end, exit status 1 when one failed.
import assert from 'node:assert/strict';

let count = 0;
let failed = 0;

function pass(name) {
	console.log(`ok ${++count} - ${name}`);
}

function fail(name, error) {
	failed++;
	console.log(`not ok ${++count} - ${name}`);
	console.log((error.stack ?? String(error)).replace(/^/gm, '# '));
}

export function check(name, body) {
	try {
		body();
		pass(name);
	} catch (error) {
		fail(name, error);
	}
}

// The same for a body that waits; to be awaited itself.
export async function checkLater(name, body) {
	try {
		await body();
		pass(name);
	} catch (error) {
		fail(name, error);
	}
}

export const equal = assert.strictEqual;
export const match = assert.match;

export function done() {
	console.log(`1..${count}`);
	process.exitCode = failed === 0 && count > 0 ? 0 : 1;
}
