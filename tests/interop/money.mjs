// Evidence and payout trees as Granary writes them, read by the libraries that they are meant for: ethers recovers each
// signer from "typedData" alone, OpenZeppelin's StandardMerkleTree loads each tree, writes the same and proves each leaf.
import { readFileSync } from 'node:fs';
import { TypedDataEncoder, verifyTypedData } from 'ethers';
import { StandardMerkleTree } from '@openzeppelin/merkle-tree';
import { check, done, equal } from './tap.mjs';

const load = (name) => JSON.parse(readFileSync(`${process.env.GRANARY_VECTORS}/${name}`, 'utf8'));

function checkEvidence({ typedData, signature, signer }) {
	const { EIP712Domain, ...types } = typedData.types;

	equal(TypedDataEncoder.from(types).primaryType, typedData.primaryType);
	equal(EIP712Domain.map(({ type, name }) => `${type} ${name}`).join(),
		'string name,string version,uint256 chainId,address verifyingContract');
	equal(verifyTypedData(typedData.domain, types, typedData.message, signature), signer);
	// What a wallet makes of it on eth_signTypedData_v4 is what was signed.
	const payload = TypedDataEncoder.getPayload(typedData.domain, types, typedData.message);
	for (const name of ['EIP712Domain', typedData.primaryType])
		equal(JSON.stringify(payload.types[name]), JSON.stringify(typedData.types[name]));
	equal(JSON.stringify(payload.message).toLowerCase(), JSON.stringify(typedData.message).toLowerCase());
}

function checkTree({ root, json, leaves }) {
	const tree = StandardMerkleTree.load(JSON.parse(json));

	tree.validate();
	equal(tree.root, `0x${root}`);
	equal(tree.length, leaves.length);
	equal(JSON.stringify(tree.dump()), json);
	for (const [index, leaf] of tree.entries())
		equal(StandardMerkleTree.verify(`0x${root}`, ['address', 'uint256'], leaf, tree.getProof(index)), true);
	// Made from the leaves alone, in any order, it has the same root.
	const values = leaves.map(([payee, cumulative]) => [`0x${payee}`, cumulative]);
	equal(StandardMerkleTree.of(values, ['address', 'uint256']).root, `0x${root}`);
}

const { items } = load('evidence.json');

for (const item of items)
	check(`evidence of ${item.typedData.primaryType}`, () => checkEvidence(item));
check('all fourteen types', () => equal(new Set(items.map((item) => item.typedData.primaryType)).size, 14));
for (const tree of load('money.json').trees)
	check(`tree of ${tree.leaves.length}`, () => checkTree(tree));
done();
