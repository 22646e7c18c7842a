// What the three scripts share: their command line, the wallet, the contracts' handles, and one-line errors.
import { readFileSync, statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { StandardMerkleTree } from '@openzeppelin/merkle-tree';
import { Contract, FetchRequest, Interface, JsonRpcProvider, Wallet, formatUnits, getAddress, isError } from 'ethers';

const distributorAbi = [
	'function owner() view returns (address)',
	'function token() view returns (address)',
	'function root() view returns (bytes32)',
	'function claimed(address payee) view returns (uint256)',
	'function totalClaimed() view returns (uint256)',
	'function setRoot(bytes32 root)',
	'function claim(address payee, uint256 cumulative, bytes32 expectedRoot, bytes32[] proof)',
	'error OwnableUnauthorizedAccount(address account)',
	'error UnexpectedRoot(bytes32 expected, bytes32 current)',
	'error InvalidProof()',
	'error NothingToClaim(address payee, uint256 claimed)',
	'error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed)',
];

const tokenAbi = [
	'function decimals() view returns (uint8)',
	'function symbol() view returns (string)',
	'function balanceOf(address account) view returns (uint256)',
	'function transfer(address to, uint256 amount) returns (bool)',
];

// Something that the person at the keyboard can put right; told without a stack trace.
export class Complaint extends Error {}

// { NAME: TEXT } from --NAME TEXT, or true for the names in `flags`.
export function commandLine(usage, names, flags = []) {
	const options = Object.fromEntries([
		...names.map((name) => [name, { type: 'string' }]),
		...[...flags, 'help'].map((name) => [name, { type: 'boolean' }]),
	]);
	let values;

	try {
		({ values } = parseArgs({ options }));
	} catch (error) {
		console.error(`${error.message}\n${usage}`);
		process.exit(2);
	}
	if (values.help) {
		console.log(usage);
		process.exit(0);
	}
	return values;
}

export function needed(values, ...names) {
	for (const name of names)
		if (values[name] === undefined)
			throw new Complaint(`--${name} is missing; --help tells more`);
}

// A provider on which a call that gets no answer fails after 30 s, and that checks the chain's id.
export async function openChain(values) {
	needed(values, 'rpc');
	const request = new FetchRequest(values.rpc);
	request.timeout = 30_000;
	const provider = new JsonRpcProvider(request, undefined, { staticNetwork: true, batchMaxCount: 1 });
	let network;

	provider.pollingInterval = 500;
	try {
		network = await provider._detectNetwork();
	} catch {
		throw new Complaint(`${new URL(values.rpc).host} does not answer as an Ethereum node`);
	}
	if (values['chain-id'] !== undefined && network.chainId !== BigInt(values['chain-id']))
		throw new Complaint(`that chain's id is ${network.chainId}, not ${values['chain-id']}`);
	return provider;
}

// 64 hex digits in a file that only its owner can read, as in a Granary directory, or an encrypted JSON keystore
// whose password stands in another file.
export function openWallet(values, provider) {
	needed(values, 'key');
	if ((statSync(values.key).mode & 0o077) !== 0)
		throw new Complaint(`${values.key} can be read by others: chmod 600 it`);
	const text = readFileSync(values.key, 'utf8').trim();

	if (text.startsWith('{')) {
		needed(values, 'password');
		const password = readFileSync(values.password, 'utf8').replace(/\r?\n$/, '');
		return Wallet.fromEncryptedJsonSync(text, password).connect(provider);
	}
	if (!/^(0x)?[0-9a-fA-F]{64}$/.test(text))
		throw new Complaint(`${values.key} holds neither 64 hex digits nor a keystore`);
	return new Wallet(text.startsWith('0x') ? text : `0x${text}`, provider);
}

export function addressFrom(text, name) {
	try {
		return getAddress(text);
	} catch {
		throw new Complaint(`--${name}: ${text} is no address`);
	}
}

export async function openDistributor(values, runner) {
	needed(values, 'contract');
	const address = addressFrom(values.contract, 'contract');

	if (await runner.provider.getCode(address) === '0x')
		throw new Complaint(`there is no contract at ${address} on that chain`);
	return new Contract(address, distributorAbi, runner);
}

export const tokenAt = (address, runner) => new Contract(address, tokenAbi, runner);
export const openToken = async (distributor) => tokenAt(await distributor.token(), distributor.runner);
export const callData = (name, args) => new Interface(distributorAbi).encodeFunctionData(name, args);

export async function printTokens(token, amount) {
	return `${formatUnits(amount, await token.decimals())} ${await token.symbol()}`;
}

// The tree of a file, with every hash in it computed again.
export function loadTree(path) {
	const tree = StandardMerkleTree.load(JSON.parse(readFileSync(path, 'utf8')));

	tree.validate();
	return tree;
}

// Send a call and wait until it is in a block; tell of it.
export async function send(what, transaction, tell = console.log) {
	const sent = await transaction;
	const receipt = await sent.wait(1, 120_000);

	tell(`${what}: transaction ${receipt.hash}, block ${receipt.blockNumber}, gas ${receipt.gasUsed}`);
	return receipt;
}

function explain(error) {
	if (error instanceof Complaint || error instanceof SyntaxError || error.code === 'ENOENT')
		return error.message;
	if (isError(error, 'CALL_EXCEPTION') && error.revert)
		return `the contract refused: ${error.revert.name}(${error.revert.args.join(', ')})`;
	if (isError(error, 'CALL_EXCEPTION') && error.reason)
		return `the contract refused: ${error.reason}`;
	return error.shortMessage ?? error.stack;
}

export async function run(main) {
	try {
		await main();
		process.exitCode = 0;
	} catch (error) {
		console.error(explain(error));
		process.exitCode = 1;
	}
}
