// Claim what a tree gives a payee: what `granary-node claim` does, for those who keep their key elsewhere.
import {
	Complaint, addressFrom, commandLine, loadTree, needed, openChain, openDistributor, openToken, openWallet, printTokens,
	run, send,
} from './chain.mjs';

const usage = `Usage: node claim.mjs --tree FILE --payee ADDRESS --rpc URL --contract ADDRESS --key FILE [OPTION…]

Claims for ADDRESS what it has not been paid yet of its leaf in FILE. The tokens go to the payee, whoever claims.

  --tree FILE         the tree of the contract's current root
  --payee ADDRESS     whose leaf
  --rpc URL           JSON-RPC of a node of the chain
  --chain-id N        refuse any other chain
  --contract ADDRESS  the payout contract
  --key FILE          who pays the fee: 64 hex digits or a JSON keystore, readable by its owner only
  --password FILE     the keystore's password`;

run(async () => {
	const values = commandLine(usage, ['tree', 'payee', 'rpc', 'chain-id', 'contract', 'key', 'password']);

	needed(values, 'tree', 'payee');
	const tree = loadTree(values.tree);
	const payee = addressFrom(values.payee, 'payee');
	const leaf = [...tree.entries()].find(([, [address]]) => addressFrom(address, 'tree') === payee);

	if (leaf === undefined)
		throw new Complaint(`${payee} is not in the tree`);
	const [index, [, cumulative]] = leaf;
	const distributor = await openDistributor(values, openWallet(values, await openChain(values)));
	const due = BigInt(cumulative) - await distributor.claimed(payee);

	if (due <= 0n)
		throw new Complaint(`${payee} has been paid all of it`);
	await send(`${await printTokens(await openToken(distributor), due)} to ${payee}`,
		distributor.claim(payee, cumulative, tree.root, tree.getProof(index)));
});
