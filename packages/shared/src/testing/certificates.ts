import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** A certificate with its key, as PEM. */
export interface Certified {
  cert: string;
  key: string;
}

/** An authority of a test's own, which certifies whoever asks. */
export interface Authority {
  /** Its certificate, as PEM. */
  ca: string;
  /** A certificate for localhost and 127.0.0.1. */
  certify(): Certified;
}

/** A new authority; what it certifies is valid for an hour. */
export function newAuthority(): Authority {
  const issuer = `an authority of tests ${randomBytes(4).toString('hex')}`;
  const own = newKeys();
  const authority = sequence(extension(oids.basicConstraints, sequence(der(tags.boolean, Buffer.of(0xff)))));
  return {
    ca: certificate({ subject: issuer, issuer, publicKey: own.publicKey, extensions: authority }, own.privateKey),
    certify: () => {
      const keys = newKeys();
      const about = { subject: 'localhost', issuer, publicKey: keys.publicKey, extensions: sequence(localNames()) };
      return {
        cert: certificate(about, own.privateKey),
        key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      };
    },
  };
}

// What follows writes DER (ITU-T X.690) as RFC 5280 lays out certificates; node:crypto reads them only.

const tags = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  text: 0x0c,
  time: 0x17,
  sequence: 0x30,
  set: 0x31,
  dnsName: 0x82,
  address: 0x87,
  version: 0xa0,
  extensions: 0xa3,
} as const;

const oids = {
  ecdsaWithSha256: '2a8648ce3d040302',
  commonName: '550403',
  basicConstraints: '551d13',
  subjectAltName: '551d11',
} as const;

interface About {
  subject: string;
  issuer: string;
  publicKey: KeyObject;
  extensions: Buffer;
}

function certificate({ subject, issuer, publicKey, extensions }: About, signingKey: KeyObject): string {
  const algorithm = sequence(oid(oids.ecdsaWithSha256));
  const hourMs = 3_600_000;
  const body = sequence(
    der(tags.version, der(tags.integer, Buffer.of(2))),
    // A serial number is positive: its first bit is 0.
    der(tags.integer, Buffer.of(1), randomBytes(15)),
    algorithm,
    nameOf(issuer),
    sequence(timeAt(Date.now() - hourMs), timeAt(Date.now() + hourMs)),
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(tags.extensions, extensions),
  );
  const whole = sequence(body, algorithm, bits(sign('sha256', body, signingKey)));
  return `-----BEGIN CERTIFICATE-----\n${whole.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
}

function der(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}

function sequence(...contents: Buffer[]): Buffer {
  return der(tags.sequence, ...contents);
}

function oid(hexadecimal: string): Buffer {
  return der(tags.oid, Buffer.from(hexadecimal, 'hex'));
}

function bits(content: Buffer): Buffer {
  return der(tags.bits, Buffer.of(0), content);
}

function nameOf(common: string): Buffer {
  return sequence(der(tags.set, sequence(oid(oids.commonName), der(tags.text, Buffer.from(common)))));
}

function timeAt(time: number): Buffer {
  const digits = new Date(time).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return der(tags.time, Buffer.from(digits.slice(2)));
}

function extension(id: string, content: Buffer): Buffer {
  return sequence(oid(id), der(tags.octets, content));
}

function localNames(): Buffer {
  const names = [der(tags.dnsName, Buffer.from('localhost')), der(tags.address, Buffer.of(127, 0, 0, 1))];
  return extension(oids.subjectAltName, sequence(...names));
}

function newKeys(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}
