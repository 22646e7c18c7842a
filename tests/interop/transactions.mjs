// Every frozen vector of payments/ethereum, computed again by ethers: RLP, signed transactions, the payout contract's
// calls, its event and its reasons. The C tests reproduce the same file, so the two agree byte for byte.
import { readFileSync } from 'node:fs';
import { Interface, SigningKey, Transaction, computeAddress, encodeRlp, toBeHex } from 'ethers';
import { check, done, equal } from './tap.mjs';

const vectors = JSON.parse(readFileSync(`${process.env.GRANARY_VECTORS}/transactions.json`, 'utf8'));
const bare = (hex) => hex.slice(2).toLowerCase();
const contract = new Interface([
	'function claim(address payee, uint256 cumulative, bytes32 expectedRoot, bytes32[] proof)',
	'function root()',
	'function token()',
	'function claimed(address payee)',
	'function balanceOf(address account)',
	'error UnexpectedRoot(bytes32 expected, bytes32 current)',
	'error InvalidProof()',
	'error NothingToClaim(address payee, uint256 claimed)',
	'error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed)',
	'error Error(string)',
	'error Panic(uint256)',
	'event Claimed(address indexed payee, uint256 amount, uint256 cumulative)',
]);

function checkTransaction(vector) {
	const transaction = Transaction.from({
		type: 2,
		chainId: vector.chain_id,
		nonce: Number(vector.nonce),
		maxPriorityFeePerGas: vector.priority_fee,
		maxFeePerGas: vector.max_fee,
		gasLimit: vector.gas,
		to: vector.to,
		value: vector.value,
		data: `0x${vector.data}`,
	});

	equal(bare(transaction.unsignedHash), vector.digest);
	transaction.signature = new SigningKey(`0x${vectors.private_key}`).sign(transaction.unsignedHash);
	equal(bare(transaction.serialized), vector.raw);
	equal(bare(transaction.hash), vector.hash);
	equal(Transaction.from(`0x${vector.raw}`).from, vectors.address);
}

function checkAsks({ asks, claim }) {
	const arguments_ = { claimed: [claim.payee], balanceOf: [claim.payee] };

	for (const [name, data] of Object.entries(asks))
		equal(bare(contract.encodeFunctionData(name, arguments_[name] ?? [])), data);
}

function checkClaim({ payee, cumulative, root, proof, data }) {
	const list = proof.map((hash) => `0x${hash}`);

	equal(bare(contract.encodeFunctionData('claim', [payee, cumulative, `0x${root}`, list])), data);
}

function checkEvent({ payee, amount, cumulative, topics, data }) {
	const encoded = contract.encodeEventLog('Claimed', [payee, amount, cumulative]);

	equal(encoded.topics.map(bare).join(), topics.join());
	equal(bare(encoded.data), data);
}

for (const { name, string, rlp } of vectors.strings)
	check(`RLP of ${name}`, () => equal(bare(encodeRlp(`0x${string}`)), rlp));
for (const { name, items, rlp } of vectors.lists)
	check(`RLP of ${name}`, () => equal(bare(encodeRlp(items)), rlp));
for (const { number, rlp } of vectors.numbers)
	check(`RLP of ${number}`, () => equal(bare(encodeRlp(number === '0' ? '0x' : toBeHex(BigInt(number)))), rlp));
check('the key', () => equal(computeAddress(`0x${vectors.private_key}`), vectors.address));
for (const [index, vector] of vectors.transactions.entries())
	check(`transaction ${index}`, () => checkTransaction(vector));
check('claim', () => checkClaim(vectors.claim));
check('calls', () => checkAsks(vectors));
check('event', () => checkEvent(vectors.event));
for (const { error, arguments: given, data } of vectors.reverts)
	check(error, () => equal(bare(contract.encodeErrorResult(error, given)), data));
done();
