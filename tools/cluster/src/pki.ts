/** Keys and certificates of a cluster, made by openssl, and the kubeconfig files that carry them. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { execute } from './process.ts';

export interface Subject {
  readonly commonName: string;
  readonly organization?: string;
  /** Subject alternative names; with some, the certificate also serves. */
  readonly names?: readonly string[];
}

/** `DNS:` or `IP:` entries of a certificate. */
export function alternativeNames(names: readonly string[]): string {
  return names.map((name) => (/^[0-9.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`)).join(',');
}

export async function createAuthority(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await openssl(folder, [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '3650'],
    ...['-subj', '/CN=canal-cluster', '-keyout', 'ca.key', '-out', 'ca.crt'],
    ...['-addext', 'keyUsage=critical,digitalSignature,keyCertSign'],
  ]);
}

/** The key pair that service-account tokens are signed with: `NAME.key`, `NAME.pub`. */
export async function createSigningKey(folder: string, name: string): Promise<void> {
  await openssl(folder, ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.key`]);
  await openssl(folder, ['ec', '-in', `${name}.key`, '-pubout', '-out', `${name}.pub`]);
}

/** `NAME.key` and `NAME.crt`, signed by the authority of the same folder. */
export async function createCertificate(folder: string, name: string, subject: Subject): Promise<void> {
  const organization = subject.organization === undefined ? '' : `/O=${subject.organization}`;
  const names = subject.names ?? [];
  await openssl(folder, [
    ...['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-subj', `${organization}/CN=${subject.commonName}`, '-keyout', `${name}.key`, '-out', `${name}.csr`],
  ]);
  const extensions = [
    'keyUsage=critical,digitalSignature',
    `extendedKeyUsage=clientAuth${names.length > 0 ? ',serverAuth' : ''}`,
    ...(names.length > 0 ? [`subjectAltName=${alternativeNames(names)}`] : []),
  ];
  writeFileSync(join(folder, `${name}.ext`), `${extensions.join('\n')}\n`);
  await openssl(folder, [
    ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.crt', '-CAkey', 'ca.key', '-days', '3650'],
    ...['-set_serial', `0x${crypto.randomUUID().replaceAll('-', '').slice(0, 30)}`],
    ...['-extfile', `${name}.ext`, '-out', `${name}.crt`],
  ]);
}

/** A kubeconfig with everything inside, for the client certificate `NAME` of the folder. */
export function kubeconfig(folder: string, name: string, server: string, cluster: string): string {
  const data = (file: string): string => readFileSync(join(folder, file)).toString('base64');
  return [
    'apiVersion: v1',
    'kind: Config',
    `current-context: ${cluster}`,
    'clusters:',
    `- name: ${cluster}`,
    '  cluster:',
    `    server: ${server}`,
    `    certificate-authority-data: ${data('ca.crt')}`,
    'users:',
    `- name: ${name}`,
    '  user:',
    `    client-certificate-data: ${data(`${name}.crt`)}`,
    `    client-key-data: ${data(`${name}.key`)}`,
    'contexts:',
    `- name: ${cluster}`,
    '  context:',
    `    cluster: ${cluster}`,
    `    user: ${name}`,
    '',
  ].join('\n');
}

async function openssl(cwd: string, args: readonly string[]): Promise<void> {
  await execute('openssl', args, { cwd });
}
