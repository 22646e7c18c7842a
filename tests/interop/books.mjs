// From orders to tokens: two months of a small network, closed and exported by its satellite, paid on a local chain to
// the nodes that claim by the statements they keep. Balances equal the satellite's ledger to the base unit.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { StandardMerkleTree } from '@openzeppelin/merkle-tree';
import { formatUnits } from 'ethers';
import { Chain, fails, run, works } from './local.mjs';
import { check, checkLater, done, equal } from './tap.mjs';

const chain = await Chain.start();
let books, network;

// What the satellite's statements of a month say that each payee was allotted in all.
const allotted = (month) => new Map(month.nodes.map(({ payee, payee_cumulative: all }) => [payee, BigInt(all)]));
const sum = (map) => [...map.values()].reduce((total, amount) => total + amount, 0n);

function satellite(...words) {
	return run('granary-satellite', ...words, '--dir', books.satellite);
}

async function checkBalances(month) {
	for (const [payee, all] of allotted(month)) {
		equal(await chain.token.balanceOf(payee), all);
		equal(await chain.distributor.claimed(payee), all);
	}
	equal(await chain.distributor.totalClaimed(), sum(allotted(month)));
	equal(await chain.token.balanceOf(chain.contract), 0n);
}

await checkLater('a network lives for two months', async () => {
	await chain.deploy(1000);
	network = spawn('/usr/bin/python3', [join(process.env.GRANARY_INTEROP, 'network.py'), chain.dir, chain.contract],
		{ stdio: ['pipe', 'pipe', 'inherit'] });
	for await (const line of createInterface({ input: network.stdout })) {
		books = JSON.parse(line);
		break;
	}
	process.env.GRANARY_CLOCK_FILE = join(chain.dir, 'clock');
	equal(books.months.length, 2);
	equal(new Set(books.nodes.map(({ payee }) => payee)).size, books.nodes.length - 1);
	for (const { address } of books.nodes)
		await chain.giveCoin(address);
});

if (books === undefined) { // nothing to look at
	await chain.stop();
	done();
	process.exit();
}
for (const month of books.months) {
	const { period, tree: path } = month;
	const tree = StandardMerkleTree.load(JSON.parse(readFileSync(path, 'utf8')));
	const before = await chain.distributor.totalClaimed();

	check(`${period}: the export is a tree of what the statements say`, () => {
		tree.validate();
		equal(tree.length, allotted(month).size);
		for (const [index, [payee, cumulative]] of tree.entries()) {
			equal(BigInt(cumulative), allotted(month).get(payee));
			equal(StandardMerkleTree.verify(tree.root, ['address', 'uint256'], [payee, cumulative],
				tree.getProof(index)), true);
		}
	});
	await checkLater(`${period}: funded with what is owed and no more, the root is set and recorded`, async () => {
		const owed = formatUnits(sum(allotted(month)) - before, 8);

		works(await chain.script('deploy.mjs', '--contract', chain.contract, '--fund', owed));
		const said = works(await chain.script('set-root.mjs', '--contract', chain.contract, '--tree', path));

		works(await satellite('payout', 'record', '--period', period, '--transaction', said.match(/transaction (0x\w+)/)[1]));
		equal(await chain.distributor.root(), tree.root);
	});
	await checkLater(`${period}: every node claims by the statement that it keeps`, async () => {
		const paid = new Set();

		for (const [index, { dir, payee }] of books.nodes.entries()) {
			const published = index % 2 === 0 ? ['--tree', path] : [];
			const claimed = await chain.claim(dir, ...published, '--period', period, '--yes', '--json');

			if (paid.has(payee)) {
				fails(claimed, /has been paid all of it already/);
			} else {
				const told = JSON.parse(works(claimed));

				equal(told.payee, payee);
				equal(BigInt(told.cumulative), allotted(month).get(payee));
				equal(told.period, period);
			}
			paid.add(payee);
		}
	});
	await checkLater(`${period}: balances are those of the statements`, () => checkBalances(month));
}
await checkLater('the last statement is the one that is claimed by', async () => {
	const [first, second] = books.months;

	fails(await chain.claim(books.nodes[0].dir, '--tree', first.tree, '--yes'), /disagree/);
	fails(await chain.claim(books.nodes[0].dir, '--tree', second.tree, '--yes'), /has been paid all of it already/);
	fails(await chain.claim(books.nodes[0].dir, '--yes'), /has been paid all of it already/);
});
await checkLater('balances are those of the ledger, and it is right', async () => {
	const { balances } = JSON.parse(works(await satellite('ledger', 'show', '--json')));

	equal(BigInt(balances.paid), await chain.distributor.totalClaimed());
	equal(balances.allotted, 0);
	works(await satellite('ledger', 'check'));
});
await checkLater('the network ends in good order, having logged no error', async () => {
	network.stdin.end();
	equal((await once(network, 'close'))[0], 0);
	fails(await chain.claim(books.nodes[1].dir, '--yes'), /cannot get the payout from the satellite/);
});
await chain.stop();
done();
