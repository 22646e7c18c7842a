// The contracts of this folder, compiled by the npm compiler: for Shanghai, so that any chain since 2023 runs them.
// The same sources and packages give the same bytes everywhere.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import solc from 'solc';

const require = createRequire(import.meta.url);
const sources = ['GranaryDistributor.sol', 'TestToken.sol'];

// Imports are OpenZeppelin's, from where npm put them; nothing else can be named.
function find(path) {
	if (!path.startsWith('@openzeppelin/contracts/'))
		return { error: `${path} is not of @openzeppelin/contracts` };
	return { contents: readFileSync(require.resolve(path), 'utf8') };
}

let compiled;

// { NAME: { abi, bytecode } } of all contracts here.
export function contracts() {
	return compiled ??= compile();
}

function compile() {
	const input = {
		language: 'Solidity',
		sources: Object.fromEntries(sources.map((name) =>
			[name, { content: readFileSync(new URL(name, import.meta.url), 'utf8') }])),
		settings: {
			evmVersion: 'shanghai',
			optimizer: { enabled: true, runs: 1000 },
			outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
		},
	};
	const output = JSON.parse(solc.compile(JSON.stringify(input), { import: find }));

	if (output.errors?.length > 0)
		throw new Error(output.errors.map(({ formattedMessage }) => formattedMessage).join('\n'));
	return Object.fromEntries(sources.flatMap((source) =>
		Object.entries(output.contracts[source]).map(([name, { abi, evm }]) =>
			[name, { abi, bytecode: `0x${evm.bytecode.object}` }])));
}
