//! A storage account on loopback: Azurite, where SIGNINEL_TEST_AZURITE names its folder, or fetched from the npm
//! registry where node and npm are at hand.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::http::{ClientOptions, RequestContent, Transport};
use azure_storage_blob::{BlobServiceClient, BlobServiceClientOptions};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const VERSION: &str = "3.35.0";

/// The end of the token: 2100.
const ENDS: i64 = 4_102_444_800;

/// The certificate of `localhost` and the authority that signed for it.
const SERVER: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mail-server-for-tests-only.pem");
pub(crate) const AUTHORITY: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/authority-for-tests-only.pem");

/// A token such as Azurite believes: it looks at what stands in it, not at who signed.
#[derive(Debug)]
pub(crate) struct Unsigned;

#[async_trait]
impl TokenCredential for Unsigned {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        assert_eq!(scopes, ["https://storage.azure.com/.default"]);
        let part = |json: String| URL_SAFE_NO_PAD.encode(json);
        let head = part(r#"{"alg":"RS256","typ":"JWT"}"#.to_owned());
        let claims = part(format!(
            "{{\"aud\":\"https://storage.azure.com\",\"iss\":\"https://sts.windows.net/t/\",\
             \"iat\":1,\"nbf\":1,\"exp\":{ENDS}}}"
        ));
        let token = format!("{head}.{claims}.{}", part("none".to_owned()));
        let ends = azure_core::time::OffsetDateTime::from_unix_timestamp(ENDS).unwrap();
        Ok(AccessToken::new(token, ends))
    }
}

/// A running account; it ends with this.
pub(crate) struct Azurite {
    child: Child,
    pub(crate) endpoint: String,
    account: BlobServiceClient,
}

impl Drop for Azurite {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Azurite {
    /// An empty account, or `None` with a message where it cannot be had here.
    pub(crate) fn start() -> Option<Self> {
        static INSTALLED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let program = match INSTALLED.get_or_init(installed) {
            Ok(program) => program,
            Err(why) => {
                assert!(named().is_none(), "SIGNINEL_TEST_AZURITE is set, but {why}");
                println!("skipped: there is no Azurite here: {why}");
                return None;
            }
        };
        let mut child = Command::new("node")
            .arg(program)
            .args(["--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck"])
            .args(["--disableTelemetry", "--silent", "--oauth", "basic"])
            .args(["--cert", SERVER, "--key", SERVER])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let place = said
            .find_map(|line| line.split_once("https://127.0.0.1:").map(|(_, it)| it.to_owned()))
            .expect("Azurite says where it listens");
        let endpoint = format!("https://localhost:{}/devstoreaccount1", place.trim());
        let account = account(&endpoint);
        Some(Self { child, endpoint, account })
    }

    pub(crate) async fn make_container(&self, name: &str) {
        self.account.blob_container_client(name).create(None).await.unwrap();
    }

    pub(crate) async fn make_blob(&self, container: &str, name: &str) {
        let blob = self.account.blob_client(container, name);
        blob.append_blob_client().create(None).await.unwrap();
    }

    /// Adds to a blob, in blocks of up to 4 MiB.
    pub(crate) async fn append(&self, container: &str, name: &str, text: &str) {
        let blob = self.account.blob_client(container, name).append_blob_client();
        for block in text.as_bytes().chunks(4 << 20) {
            let length = u64::try_from(block.len()).unwrap();
            blob.append_block(RequestContent::from(block.to_vec()), length, None).await.unwrap();
        }
    }

    pub(crate) async fn delete_blob(&self, container: &str, name: &str) {
        self.account.blob_client(container, name).delete(None).await.unwrap();
    }
}

fn account(endpoint: &str) -> BlobServiceClient {
    // Whoever is first installs it; it is the same for all.
    drop(rustls::crypto::ring::default_provider().install_default());
    let authority = reqwest::Certificate::from_pem(&std::fs::read(AUTHORITY).unwrap()).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([authority]).build().unwrap();
    let client_options =
        ClientOptions { transport: Some(Transport::new(Arc::new(client))), ..Default::default() };
    let options = BlobServiceClientOptions { client_options, ..Default::default() };
    BlobServiceClient::new(endpoint.parse().unwrap(), Some(Arc::new(Unsigned)), Some(options))
        .unwrap()
}

/// The folder that was named. Whoever names one wants these tests, so that it has to be there.
fn named() -> Option<PathBuf> {
    std::env::var_os("SIGNINEL_TEST_AZURITE").map(PathBuf::from)
}

/// Where the program is, fetched once for all runs unless it was named.
fn installed() -> Result<PathBuf, String> {
    let fetched = || Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("azurite-{VERSION}"));
    let folder = named().unwrap_or_else(fetched);
    let program = folder.join("node_modules/azurite/dist/src/blob/main.js");
    if Command::new("node").arg("--version").output().is_err() {
        return Err("node is not installed".to_owned());
    }
    if !program.exists() && named().is_some() {
        return Err(format!("`{}` is not there", program.display()));
    }
    if !program.exists() {
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let installed = Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0"])
            .arg("--prefix")
            .arg(&folder)
            .arg(format!("azurite@{VERSION}"))
            .output()
            .map_err(|_| "npm is not installed".to_owned())?;
        if !installed.status.success() {
            return Err("npm could not fetch it".to_owned());
        }
    }
    Ok(program)
}
