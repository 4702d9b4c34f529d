//! Signs in with a certificate: a JWT made out to the login host, signed with the private key.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use crate::clock::Clock;

/// How long an assertion holds. The token it is traded for holds longer.
const HOLDS_FOR: TimeDelta = TimeDelta::minutes(10);

/// A private key, and the certificate that the application has of it.
pub(super) struct Certificate {
    key: RsaKeyPair,
    /// `x5t#S256`: the SHA-256 of the certificate.
    thumbprint: String,
}

impl Certificate {
    /// Reads a PEM file of a private key and its certificate, in any order and with a chain around
    /// it. The error is a whole sentence, and holds nothing of the file.
    pub(super) fn read(file: &Path) -> Result<Self, String> {
        let shown = file.display();
        let pem = fs::read(file).map_err(|error| {
            format!("cannot read `certificate_file` {shown}: {error}; give the path of a PEM file")
        })?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| {
            format!(
                "{shown} holds no `BEGIN PRIVATE KEY`; put the private key in it, as \
                 `openssl pkcs8 -topk8 -nocrypt -in <key file>` writes it"
            )
        })?;
        let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).map_err(|_| {
            format!("the private key in {shown} is not RSA of 2048 bits or more; use one that is")
        })?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect();
        // A certificate holds its public key as the key itself writes it.
        let own = chain
            .iter()
            .find(|certificate| memchr::memmem::find(certificate, key.public().as_ref()).is_some())
            .ok_or_else(|| {
                format!(
                    "{shown} holds no certificate of its private key; put the `BEGIN CERTIFICATE` \
                     in it that was uploaded to the application"
                )
            })?;
        let thumbprint = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, own));
        Ok(Self { key, thumbprint })
    }

    /// A JWT that says: I am this client, and this is for that audience.
    fn assertion(
        &self,
        client_id: &str,
        audience: &str,
        now: DateTime<Utc>,
    ) -> Result<String, ring::error::Unspecified> {
        let random = SystemRandom::new();
        let mut id = [0_u8; 16];
        random.fill(&mut id)?;
        let header = serde_json::json!({"alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint});
        let claims = serde_json::json!({
            "aud": audience,
            "iss": client_id,
            "sub": client_id,
            "jti": URL_SAFE_NO_PAD.encode(id),
            "nbf": now.timestamp(),
            "exp": (now + HOLDS_FOR).timestamp(),
        });
        let encode = |part: &serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let mut signature = vec![0_u8; self.key.public().modulus_len()];
        self.key.sign(&RSA_PSS_SHA256, &random, signed.as_bytes(), &mut signature)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// Makes an assertion whenever a token is due. The file is read anew each time, so that a certificate
/// can be renewed while the program runs.
pub(super) struct Assertions {
    pub(super) file: PathBuf,
    pub(super) client_id: String,
    pub(super) audience: String,
    pub(super) clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Assertions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "assertions of {} for {}", self.client_id, self.audience)
    }
}

#[async_trait]
impl ClientAssertion for Assertions {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let failed =
            |sentence: String| azure_core::Error::with_message(ErrorKind::Credential, sentence);
        Certificate::read(&self.file)
            .map_err(failed)?
            .assertion(&self.client_id, &self.audience, self.clock.now())
            .map_err(|_| failed("the private key could not sign".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use ring::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};

    use crate::clock::FixedClock;

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
    }

    fn decoded(part: &str) -> serde_json::Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn an_assertion_is_signed_and_made_out_to_the_login_host() {
        let file = fixture("certificate-for-tests-only.pem");
        let audience = "https://login.microsoftonline.com/t/oauth2/v2.0/token";
        let clock = FixedClock::at(DateTime::from_timestamp(1_700_000_000, 0).unwrap());
        let assertions = Assertions {
            file: file.clone(),
            client_id: "the-client".to_owned(),
            audience: audience.to_owned(),
            clock: Arc::new(clock),
        };
        let jwt = assertions.secret(None).await.unwrap();
        let (signed, signature) = jwt.rsplit_once('.').unwrap();
        let certificate = Certificate::read(&file).unwrap();
        let public =
            UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, certificate.key.public().as_ref());
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        public.verify(signed.as_bytes(), &signature).unwrap();
        assert!(public.verify(b"something else", &signature).is_err());

        let (header, claims) = signed.split_once('.').unwrap();
        let (header, claims) = (decoded(header), decoded(claims));
        assert_eq!(header["alg"], "PS256");
        assert_eq!(header["x5t#S256"].as_str().unwrap().len(), 43);
        assert_eq!(claims["aud"], audience);
        assert_eq!((&claims["iss"], &claims["sub"]), (&"the-client".into(), &"the-client".into()));
        assert_eq!(claims["nbf"], 1_700_000_000);
        assert_eq!(claims["exp"], 1_700_000_600);
        let again = assertions.secret(None).await.unwrap();
        assert_ne!(claims["jti"], decoded(again.split('.').nth(1).unwrap())["jti"]);
    }

    #[test]
    fn a_file_without_a_usable_key_and_certificate_says_what_to_put_in_it() {
        let told = |pem: &str| {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), pem).unwrap();
            Certificate::read(file.path()).err().unwrap()
        };
        let own = fs::read_to_string(fixture("certificate-for-tests-only.pem")).unwrap();
        let other = fs::read_to_string(fixture("other-certificate-for-tests-only.pem")).unwrap();
        let key = own.split("-----BEGIN CERTIFICATE").next().unwrap();
        assert!(told("").contains("BEGIN PRIVATE KEY"));
        assert!(told(&other).contains("openssl pkcs8"));
        assert!(told(key).contains("no certificate of its private key"));
        assert!(told(&format!("{key}{other}")).contains("no certificate of its private key"));
        assert!(Certificate::read(Path::new("/absent.pem")).err().unwrap().contains("cannot read"));
    }

    #[test]
    fn the_certificate_of_the_key_is_found_behind_others() {
        let own = fs::read_to_string(fixture("certificate-for-tests-only.pem")).unwrap();
        let other = fs::read_to_string(fixture("other-certificate-for-tests-only.pem")).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), format!("{other}{own}")).unwrap();
        let alone = Certificate::read(&fixture("certificate-for-tests-only.pem")).unwrap();
        assert_eq!(Certificate::read(file.path()).unwrap().thumbprint, alone.thumbprint);
    }
}
