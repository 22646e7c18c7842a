// The Keccak-256 values of tests/vectors/ethereum.json, computed again by ethers.
import { readFileSync } from 'node:fs';
import { hashMessage, keccak256 } from 'ethers';
import { check, done, equal } from './tap.mjs';

const vectors = JSON.parse(readFileSync(`${process.env.GRANARY_VECTORS}/ethereum.json`, 'utf8'));
const pattern = (length) => Uint8Array.from({ length }, (_, i) => (7 * i) & 255);
const { source, ...lengths } = vectors.keccak256_lengths;

check('nothing', () => equal(keccak256('0x'), `0x${vectors.keccak256['']}`));
check('EIP-191 message', () =>
	equal(hashMessage('hello world'), `0x${vectors.keccak256['hello world, EIP-191 prefixed']}`));
for (const [length, hash] of Object.entries(lengths))
	check(`${length} bytes`, () => equal(keccak256(pattern(Number(length))), `0x${hash}`));
done();
