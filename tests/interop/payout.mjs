// Two months of pay on a local chain: the contract of contrib/ethereum, deployed, funded and told its roots by the
// scripts beside it, and claims made by the installed granary-node against that chain's JSON-RPC on loopback.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { StandardMerkleTree } from '@openzeppelin/merkle-tree';
import { Transaction, Wallet, ZeroHash, parseEther } from 'ethers';
import { Chain, chainId, fails, run, works } from './local.mjs';
import { checkLater, done, equal, match } from './tap.mjs';

const supply = 1_000_000n;
const satellite = Wallet.createRandom();
const typeOf = {
	Statement: JSON.parse(readFileSync(`${process.env.GRANARY_VECTORS}/typed.json`, 'utf8')).things
		.find(({ type }) => type === 'Statement').fields.map(({ name, type }) => ({ name, type })),
};

// A farmer: its directory as `init` makes it, and its address.
async function farmer(name) {
	const path = join(dir, name);
	const endpoint = `${satellite.signingKey.compressedPublicKey.slice(2)}@127.0.0.1:1`;

	works(await run('granary-node', 'init', '--dir', path, '--satellite', endpoint, '--allocate', '16MiB'));
	return { path, address: JSON.parse(works(await run('granary-node', 'id', '--dir', path, '--json'))).address };
}

// The satellite's statement, as evidence in a file.
async function statement(name, node, payee, period, cumulative, contract, signer = satellite) {
	const zero = '0';
	const domain = { name: 'Granary', version: '1', chainId, verifyingContract: contract };
	const message = {
		satellite: satellite.address, node, payee, period: String(period), lines: ZeroHash, earned: zero, held: zero,
		released: zero, forfeited: zero, rolled: zero, paid: zero, nodeCumulative: String(cumulative),
		payeeCumulative: String(cumulative),
	};
	const types = {
		EIP712Domain: [
			{ name: 'name', type: 'string' }, { name: 'version', type: 'string' }, { name: 'chainId', type: 'uint256' },
			{ name: 'verifyingContract', type: 'address' },
		],
		...typeOf,
	};

	return chain.save(name, {
		typedData: { types, primaryType: 'Statement', domain, message },
		signature: await signer.signTypedData(domain, typeOf, message),
		signer: satellite.address,
	});
}

function treeOf(name, leaves) {
	const tree = StandardMerkleTree.of(leaves.map(([payee, units]) => [payee, String(units)]), ['address', 'uint256']);

	return { tree, path: chain.save(name, tree.dump()) };
}

const chain = await Chain.start();
const { dir, owner, provider, purse } = chain;
const script = (...words) => chain.script(...words);
const claim = ({ path }, paper, tree, ...more) => chain.claim(path, '--statement', paper, '--tree', tree, ...more);
const anna = await farmer('anna');
const bert = await farmer('bert'); // with a payee of its own
const poor = await farmer('poor'); // that has nothing to pay gas with
const payee = Wallet.createRandom().address;
let contract, token, distributor, first, second;
const nonce = async () => provider.getTransactionCount(anna.address);
const balanceOf = async (address) => token.balanceOf(address);

await checkLater('the chain gives the farmers some of its coin', async () => {
	for (const { address } of [anna, bert])
		await chain.giveCoin(address);
});
await checkLater('deploy.mjs deploys token and distributor', async () => {
	const deployed = await chain.deploy(supply);

	({ contract, token, distributor } = chain);
	equal(deployed.owner, owner.address);
	equal(await distributor.token(), deployed.token);
	equal(await distributor.root(), ZeroHash);
	equal(await balanceOf(owner.address), supply * 10n ** 8n);
});

const papers = {}; // statements, by name

await checkLater('the first month is refused before its root is set', async () => {
	first = treeOf('first.json', [[anna.address, 12_500_000_001n], [payee, 7n], [poor.address, 1n]]);
	papers.anna1 = await statement('anna1.json', anna.address, anna.address, 202605, 12_500_000_001n, contract);
	papers.bert1 = await statement('bert1.json', bert.address, payee, 202605, 7n, contract);
	papers.poor1 = await statement('poor1.json', poor.address, poor.address, 202605, 1n, contract);
	fails(await claim(anna, papers.anna1, first.path, '--yes'), /the contract has no root yet/);
});
await checkLater('set-root.mjs refuses a root without funds, then sets it', async () => {
	const where = ['--tree', first.path, '--contract', contract];

	fails(await script('set-root.mjs', ...where), /the contract holds 0\.0 GRAIN, the tree needs 125\.00000009/);
	works(await script('deploy.mjs', '--contract', contract, '--fund', '125.00000008'));
	fails(await script('set-root.mjs', ...where), /fund it first/);
	works(await script('set-root.mjs', ...where, '--unfunded'));
	equal(await distributor.root(), first.tree.root);
	fails(await script('set-root.mjs', ...where), /already/);
});
await checkLater('granary-node claim shows what it would do, and asks', async () => {
	const { status, out, err } = await claim(anna, papers.anna1, first.path);

	equal(status, 1);
	match(out, /to claim +125\.00000001/);
	match(err, /nothing was sent/);
	equal(await nonce(), 0);
});
await checkLater('granary-node claim pays the first month', async () => {
	const receipt = JSON.parse(works(await claim(anna, papers.anna1, first.path, '--yes', '--json')));
	const mined = await provider.getTransactionReceipt(receipt.transaction);
	const sent = await provider.getTransaction(receipt.transaction);

	equal(receipt.payee, anna.address);
	equal(receipt.amount, '12500000001');
	equal(receipt.contract, contract);
	equal(receipt.block, mined.blockNumber);
	equal(BigInt(receipt.gas_used), mined.gasUsed);
	equal(parseEther(receipt.fee), mined.fee);
	equal(mined.status, 1);
	equal(sent.type, 2);
	equal(sent.from, anna.address);
	equal(Transaction.from(sent).from, anna.address);
	equal(await balanceOf(anna.address), 12_500_000_001n);
	equal(await distributor.claimed(anna.address), 12_500_000_001n);
});
await checkLater('a second claim of it is refused, by the node and by the contract', async () => {
	fails(await claim(anna, papers.anna1, first.path, '--yes'), /has been paid all of it already/);
	const proof = first.tree.getProof([anna.address, '12500000001']);

	await distributor.connect(purse).claim.staticCall(anna.address, 12_500_000_001n, first.tree.root, proof).then(
		() => { throw new Error('claimed twice'); }, (error) => equal(error.revert?.name, 'NothingToClaim'));
	equal(await nonce(), 1);
});
await checkLater('a foreign claim is refused, by the node and by the contract', async () => {
	fails(await claim(bert, papers.anna1, first.path, '--yes'), /the statement is for another node/);
	const proof = first.tree.getProof([payee, '7']);

	await distributor.connect(purse).claim.staticCall(owner.address, 7n, first.tree.root, proof).then(
		() => { throw new Error('claimed for another'); }, (error) => equal(error.revert?.name, 'InvalidProof'));
	await distributor.connect(purse).claim.staticCall(payee, 8n, first.tree.root, proof).then(
		() => { throw new Error('claimed more'); }, (error) => equal(error.revert?.name, 'InvalidProof'));
});
await checkLater('what the contract does not hold is not claimed', async () => {
	fails(await claim(bert, papers.bert1, first.path, '--yes', '--max-gas-price', '1'), /gas costs .* gwei just now/);
	works(await claim(bert, papers.bert1, first.path, '--yes'));
	equal(await balanceOf(payee), 7n);
	fails(await claim(poor, papers.poor1, first.path, '--yes'), /the contract holds 0 base units, 1 are due/);
	works(await script('deploy.mjs', '--contract', contract, '--fund', '0.00000001'));
});
await checkLater('gas that cannot be paid is told before anything is sent', async () => {
	fails(await claim(poor, papers.poor1, first.path, '--yes'), /not enough for the gas: .* has 0 of the chain's coin/);
});
await checkLater('anyone may claim for a payee, which alone is paid', async () => {
	works(await script('claim.mjs', '--tree', first.path, '--contract', contract, '--payee', poor.address));
	equal(await balanceOf(poor.address), 1n);
	fails(await script('claim.mjs', '--tree', first.path, '--contract', contract, '--payee', poor.address),
		/has been paid all of it/);
	equal(await balanceOf(contract), 0n);
});
await checkLater('a forged, an altered and a foreign statement are refused', async () => {
	const forged = await statement('forged.json', anna.address, anna.address, 202605, 99n, contract, owner);
	const altered = JSON.parse(readFileSync(papers.anna1, 'utf8'));

	altered.typedData.message.payeeCumulative = '12500000002';
	fails(await claim(anna, forged, first.path, '--yes'), /the satellite did not sign the statement/);
	fails(await claim(anna, chain.save('altered.json', altered), first.path, '--yes'), /did not sign/);
	fails(await claim(anna, papers.anna1, first.path, '--yes', '--period', '2026-06'), /is of 2026-05, not of 2026-06/);
});
await checkLater('a tree that says otherwise than the statement is refused', async () => {
	const other = treeOf('other.json', [[anna.address, 12_500_000_000n], [payee, 7n]]);
	const without = treeOf('without.json', [[payee, 7n]]);
	const broken = JSON.parse(readFileSync(first.path, 'utf8'));

	broken.tree[0] = `0x${'00'.repeat(32)}`;
	fails(await claim(anna, papers.anna1, other.path, '--yes'), /the statement of 2026-05 and the tree disagree/);
	fails(await claim(anna, papers.anna1, without.path, '--yes'), /the tree has no leaf for the statement's payee/);
	fails(await claim(anna, papers.anna1, chain.save('broken.json', broken), '--yes'), /is no payout tree/);
	equal(await nonce(), 1);
});
await checkLater('the second month pays what came on top, also who claimed nothing before', async () => {
	second = treeOf('second.json', [[anna.address, 20_000_000_000n], [payee, 11n], [poor.address, 1n], [bert.address, 5n]]);
	papers.anna2 = await statement('anna2.json', anna.address, anna.address, 202606, 20_000_000_000n, contract);
	papers.bert2 = await statement('bert2.json', bert.address, bert.address, 202606, 5n, contract);
	works(await script('deploy.mjs', '--contract', contract, '--fund', '1000'));
	fails(await claim(anna, papers.anna2, second.path, '--yes'), /the contract's root is 0x[0-9a-f]{64}, the tree's is/);
	works(await script('set-root.mjs', '--tree', second.path, '--contract', contract));
	fails(await claim(anna, papers.anna1, first.path, '--yes'), /the tree is older/);
	const receipt = JSON.parse(works(await claim(anna, papers.anna2, second.path, '--yes', '--json')));

	equal(receipt.amount, '7499999999');
	equal(receipt.cumulative, '20000000000');
	match(works(await claim(bert, papers.bert2, second.path, '--yes')), /paid +0\.00000005 to/);
	fails(await claim(anna, papers.anna2, second.path, '--yes'), /has been paid all of it already/);
});
await checkLater('an older tree does not come back by mistake, and only the owner sets roots', async () => {
	fails(await script('set-root.mjs', '--tree', first.path, '--contract', contract), /older than what was paid/);
	const call = await script('set-root.mjs', '--tree', second.path, '--call-data');

	equal(works(call).trim(), distributor.interface.encodeFunctionData('setRoot', [second.tree.root]));
	await distributor.connect(new Wallet(satellite.privateKey, provider)).setRoot.staticCall(ZeroHash).then(
		() => { throw new Error('set by a stranger'); },
		(error) => equal(error.revert?.name, 'OwnableUnauthorizedAccount'));
	equal(await distributor.rootCount(), 2n);
	equal((await distributor.rootAt(0))[0], first.tree.root);
	equal((await distributor.rootAt(1))[0], second.tree.root);
});
await checkLater('all balances are what was allotted, to the base unit', async () => {
	const paid = 20_000_000_000n + 7n + 1n + 5n;
	const funded = 12_500_000_009n + 1000n * 10n ** 8n;
	const events = await distributor.queryFilter('Claimed', 0);

	equal(await balanceOf(anna.address), 20_000_000_000n);
	equal(await balanceOf(payee), 7n);
	equal(await balanceOf(poor.address), 1n);
	equal(await balanceOf(bert.address), 5n);
	equal(await distributor.totalClaimed(), paid);
	equal(events.reduce((sum, { args }) => sum + args.amount, 0n), paid);
	equal(await balanceOf(contract), funded - paid);
	equal(await balanceOf(owner.address), supply * 10n ** 8n - funded);
});
await checkLater('a chain that is another one, or not there, is told', async () => {
	const elsewhere = await statement('elsewhere.json', anna.address, anna.address, 202606, 20_000_000_000n, anna.address);

	fails(await claim(anna, elsewhere, second.path, '--yes'), /there is no contract at/);
	await chain.hangUp();
	fails(await claim(anna, papers.anna2, second.path, '--yes'), /nothing answers there/);
});
await chain.stop();
done();
