// Every frozen vector of a signed thing, computed again by ethers: the type string, the hashes, the digest, the
// signature, its signer and the wire form. The C tests reproduce the same file, so the two agree byte for byte.
import { readFileSync } from 'node:fs';
import { SigningKey, TypedDataEncoder, concat, id, recoverAddress, toBeHex, verifyTypedData } from 'ethers';
import { check, done, equal } from './tap.mjs';

const load = (name) => JSON.parse(readFileSync(`${process.env.GRANARY_VECTORS}/${name}`, 'utf8'));
const bare = (hex) => hex.slice(2).toLowerCase();

function wireOf(fields, signature) {
	const parts = fields.map(({ type, value }) =>
		type.startsWith('uint') ? toBeHex(BigInt(value), Number(type.slice(4)) / 8) : value);

	return bare(concat([...parts, signature]));
}

function checkThing(thing, key, address) {
	const types = { [thing.type]: thing.fields.map(({ name, type }) => ({ name, type })) };
	const value = Object.fromEntries(thing.fields.map(({ name, value }) => [name, value]));
	const encoder = TypedDataEncoder.from(types);
	const digest = TypedDataEncoder.hash(thing.domain, types, value);
	const signature = `0x${thing.signature}`;

	equal(encoder.primaryType, thing.type);
	equal(encoder.encodeType(thing.type), thing.type_string);
	equal(bare(id(thing.type_string)), thing.type_hash);
	equal(bare(TypedDataEncoder.hashDomain(thing.domain)), thing.domain_separator);
	equal(bare(TypedDataEncoder.hashStruct(thing.type, types, value)), thing.struct_hash);
	equal(bare(digest), thing.digest);
	equal(bare(new SigningKey(key).sign(digest).serialized), thing.signature);
	equal(verifyTypedData(thing.domain, types, value, signature), address);
	equal(recoverAddress(digest, signature), address);
	equal(wireOf(thing.fields, signature), thing.wire);
}

// EIP-712's own example, as the C tests have it: that both hold pins the machinery to the standard's text.
function checkMail(mail) {
	const types = {
		Person: [{ name: 'name', type: 'string' }, { name: 'wallet', type: 'address' }],
		Mail: [{ name: 'from', type: 'Person' }, { name: 'to', type: 'Person' }, { name: 'contents', type: 'string' }],
	};
	const value = {
		from: { name: 'Cow', wallet: '0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826' },
		to: { name: 'Bob', wallet: '0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB' },
		contents: 'Hello, Bob!',
	};
	const digest = TypedDataEncoder.hash(mail.domain, types, value);
	const signature = new SigningKey(`0x${mail.private_key}`).sign(digest);

	equal(TypedDataEncoder.from(types).encodeType('Mail'), mail.encode_type);
	equal(bare(TypedDataEncoder.hashStruct('Mail', types, value)), mail.struct_hash);
	equal(bare(TypedDataEncoder.hashDomain(mail.domain)), mail.domain_separator);
	equal(bare(digest), mail.digest);
	equal(bare(signature.r), mail.r);
	equal(bare(signature.s), mail.s);
	equal(signature.v, mail.v);
	equal(recoverAddress(digest, signature), mail.address);
}

const vectors = load('typed.json');

for (const [index, thing] of vectors.things.entries())
	check(`${thing.type} (${index})`, () => checkThing(thing, `0x${vectors.private_key}`, vectors.address));
check('all fourteen types', () => equal(new Set(vectors.things.map(({ type }) => type)).size, 14));
check('EIP-712 Mail', () => checkMail(load('ethereum.json').eip712_mail));
done();
