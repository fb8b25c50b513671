export {
  type AuthorityOptions,
  type CertificateAuthority,
  createCertificateAuthority,
  type KeyPair,
  type ServerCertificateOptions,
} from './x509.ts';
