//! What signs in to the tenant, and the token it gives.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::http::{ClientOptions, ExponentialRetryOptions, RetryOptions};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertionCredential,
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};

use super::certificate::Assertions;
use super::cloud::Cloud;
use crate::clock::{Clock, SystemClock};
use crate::config::Secret;
use crate::sources::FetchError;
use crate::sources::http::quoted;

/// A login service that hangs must not hang the source.
const TOKEN_WITHIN: Duration = Duration::from_mins(1);

/// A token that ends sooner than this is not used: it could end on the way.
const LEAST_LEFT: i64 = 15;

/// What signs in, as configured.
#[derive(Clone, Debug)]
pub(in crate::sources) enum Credential {
    ManagedIdentity(Option<UserAssigned>),
    WorkloadIdentity {
        client_id: Option<String>,
        tenant_id: Option<String>,
        token_file: Option<PathBuf>,
    },
    ClientSecret {
        client_id: String,
        secret: Secret,
    },
    ClientCertificate {
        client_id: String,
        file: PathBuf,
    },
    AzureCli,
}

/// Which of the user-assigned identities of a machine.
#[derive(Clone, Debug)]
pub(in crate::sources) enum UserAssigned {
    Client(String),
    Object(String),
    Resource(String),
}

impl Credential {
    /// What tells it from others of its tenant, for the budget of requests: Graph counts by
    /// application, however that signs in.
    pub(in crate::sources) fn identity(&self) -> String {
        match self {
            Self::ManagedIdentity(Some(UserAssigned::Client(id)))
            | Self::WorkloadIdentity { client_id: Some(id), .. }
            | Self::ClientSecret { client_id: id, .. }
            | Self::ClientCertificate { client_id: id, .. } => format!("client {id}"),
            Self::ManagedIdentity(Some(UserAssigned::Object(id))) => format!("object {id}"),
            Self::ManagedIdentity(Some(UserAssigned::Resource(id))) => format!("resource {id}"),
            Self::ManagedIdentity(None) => "managed identity".to_owned(),
            Self::WorkloadIdentity { client_id: None, .. } => "workload identity".to_owned(),
            Self::AzureCli => "azure cli".to_owned(),
        }
    }

    /// What to do when it gives no token.
    pub(in crate::sources) fn remedy(&self) -> &'static str {
        match self {
            Self::ManagedIdentity(None) => {
                "check that the machine this runs on has a system-assigned managed identity, or \
                 name a user-assigned one by `client_id`"
            }
            Self::ManagedIdentity(Some(_)) => {
                "check that the identity named in `credential` is assigned to the machine this \
                 runs on"
            }
            Self::WorkloadIdentity { .. } => {
                "check that the pod has the label `azure.workload.identity/use: \"true\"`, or write \
                 `client_id` and `token_file` into `credential`; and that a federated credential of \
                 the application names the issuer and the subject of the token"
            }
            Self::ClientSecret { .. } => {
                "check that the client secret has not ended and is the value, not the id, of one \
                 of the application `client_id` in the tenant `tenant_id`"
            }
            Self::ClientCertificate { .. } => {
                "check that the certificate has not ended and is uploaded to the application \
                 `client_id` in the tenant `tenant_id`"
            }
            Self::AzureCli => "run `az login --tenant <tenant_id>` as the user this runs as",
        }
    }

    /// The credential of the SDK. The error is what the SDK says is missing.
    pub(in crate::sources) fn make(
        &self,
        tenant_id: &str,
        cloud: Cloud,
    ) -> azure_core::Result<Arc<dyn TokenCredential>> {
        crate::sources::tls::provider();
        // Whoever asks for a page asks again later; here it is enough to bridge a hiccup.
        let retry = RetryOptions::exponential(ExponentialRetryOptions {
            max_retries: 3,
            ..ExponentialRetryOptions::default()
        });
        let client_options = || ClientOptions {
            cloud: Some(Arc::new(cloud.configuration())),
            retry: retry.clone(),
            ..Default::default()
        };
        Ok(match self {
            Self::ManagedIdentity(which) => {
                ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                    user_assigned_id: which.as_ref().map(UserAssigned::named),
                    client_options: client_options(),
                }))?
            }
            Self::WorkloadIdentity { client_id, tenant_id: other_tenant, token_file } => {
                WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                    credential_options: ClientAssertionCredentialOptions {
                        client_options: client_options(),
                    },
                    client_id: client_id.clone(),
                    tenant_id: Some(other_tenant.as_deref().unwrap_or(tenant_id).to_owned()),
                    token_file_path: token_file.clone(),
                }))?
            }
            Self::ClientSecret { client_id, secret } => ClientSecretCredential::new(
                tenant_id,
                client_id.clone(),
                azure_core::credentials::Secret::new(secret.expose().to_owned()),
                Some(ClientSecretCredentialOptions { client_options: client_options() }),
            )?,
            Self::ClientCertificate { client_id, file } => ClientAssertionCredential::new(
                tenant_id.to_owned(),
                client_id.clone(),
                Assertions {
                    file: file.clone(),
                    client_id: client_id.clone(),
                    audience: format!(
                        "https://{}/{tenant_id}/oauth2/v2.0/token",
                        cloud.login_host()
                    ),
                    clock: Arc::new(SystemClock),
                },
                Some(ClientAssertionCredentialOptions { client_options: client_options() }),
            )?,
            Self::AzureCli => AzureCliCredential::new(Some(AzureCliCredentialOptions {
                tenant_id: Some(tenant_id.to_owned()),
                ..Default::default()
            }))?,
        })
    }
}

impl UserAssigned {
    fn named(&self) -> UserAssignedId {
        match self {
            Self::Client(id) => UserAssignedId::ClientId(id.clone()),
            Self::Object(id) => UserAssignedId::ObjectId(id.clone()),
            Self::Resource(id) => UserAssignedId::ResourceId(id.clone()),
        }
    }
}

/// Tokens for one scope.
pub(in crate::sources) struct Tokens {
    credential: Arc<dyn TokenCredential>,
    scope: String,
    clock: Arc<dyn Clock>,
    /// The SDK gives an error while it cannot renew a token that still holds; this is that token.
    last: Mutex<Option<AccessToken>>,
    remedy: &'static str,
    /// Struck out of what the login service says.
    secret: Option<Secret>,
}

impl Tokens {
    pub(in crate::sources) fn new(
        settings: &Credential,
        credential: Arc<dyn TokenCredential>,
        scope: &str,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let secret = match settings {
            Credential::ClientSecret { secret, .. } => Some(secret.clone()),
            _ => None,
        };
        let (last, scope) = (Mutex::default(), scope.to_owned());
        Self { credential, scope, clock, last, remedy: settings.remedy(), secret }
    }

    /// A token that holds now. The SDK itself asks again a few times, so what it gives up is not asked
    /// for again at once.
    pub(in crate::sources) async fn get(&self) -> Result<AccessToken, FetchError> {
        let scopes = [self.scope.as_str()];
        let asked = self.credential.get_token(&scopes, None);
        let (reason, failed): (String, fn(String) -> FetchError) =
            match tokio::time::timeout(TOKEN_WITHIN, asked).await {
                Ok(Ok(token)) => {
                    *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
                    return Ok(token);
                }
                Ok(Err(error)) => (self.shown(&error), FetchError::permanent),
                Err(_) => (
                    format!("no answer within {} s", TOKEN_WITHIN.as_secs()),
                    FetchError::transient,
                ),
            };
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = self.clock.now().timestamp();
        if let Some(token) = last.filter(|last| last.expires_on.unix_timestamp() - now > LEAST_LEFT)
        {
            tracing::warn!(reason, "cannot renew the token; the one at hand still holds");
            return Ok(token);
        }
        Err(failed(format!("no token for `{}`: {reason}; {}", self.scope, self.remedy)))
    }

    /// Lets go of a token that was refused.
    pub(in crate::sources) fn forget(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn shown(&self, error: &azure_core::Error) -> String {
        let text = error.to_string();
        // The SDK closes with a link to its own troubleshooting.
        let mut said = text.split("\nTo troubleshoot").next().unwrap_or_default().to_owned();
        // What went wrong in the end, such as "Connection refused", lies innermost.
        let causes =
            std::iter::successors(std::error::Error::source(error), |cause| cause.source());
        if let Some(innermost) = causes.last().map(ToString::to_string)
            && !said.contains(&innermost)
        {
            said = format!("{said} ({innermost})");
        }
        let secrets: Vec<&str> = self.secret.iter().map(Secret::expose).collect();
        quoted(&said, &secrets)
    }
}

impl std::fmt::Debug for Tokens {
    /// Without any token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// For the clients of the SDK, which ask for the scope themselves; the error is the sentence.
#[async_trait]
impl TokenCredential for Tokens {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.get().await.map_err(|error| {
            azure_core::Error::with_message(ErrorKind::Credential, error.to_string())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::atomic::{AtomicBool, Ordering};

    use chrono::{DateTime, TimeDelta};

    use crate::clock::FixedClock;

    const START: i64 = 1_700_000_000;

    #[derive(Debug, Default)]
    struct Login {
        is_down: AtomicBool,
        hangs: AtomicBool,
    }

    #[async_trait]
    impl TokenCredential for Login {
        async fn get_token(
            &self,
            _: &[&str],
            _: Option<TokenRequestOptions<'_>>,
        ) -> azure_core::Result<AccessToken> {
            if self.hangs.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            if self.is_down.load(Ordering::Relaxed) {
                let said = "AADSTS7000215: not hunter2\nTo troubleshoot, visit nothing";
                return Err(azure_core::Error::with_message(ErrorKind::Credential, said));
            }
            let ends = azure_core::time::OffsetDateTime::from_unix_timestamp(START + 300).unwrap();
            Ok(AccessToken::new("a token", ends))
        }
    }

    fn tokens(login: &Arc<Login>, clock: &Arc<FixedClock>) -> Tokens {
        let settings =
            Credential::ClientSecret { client_id: "c".to_owned(), secret: Secret::new("hunter2") };
        Tokens::new(&settings, Arc::clone(login) as _, "s/.default", Arc::clone(clock) as _)
    }

    #[tokio::test]
    async fn the_last_token_is_used_while_it_holds() {
        let clock = Arc::new(FixedClock::at(DateTime::from_timestamp(START, 0).unwrap()));
        let login = Arc::new(Login::default());
        let tokens = tokens(&login, &clock);
        tokens.get().await.unwrap();
        login.is_down.store(true, Ordering::Relaxed);
        clock.advance(TimeDelta::seconds(280));
        assert_eq!(tokens.get().await.unwrap().token.secret(), "a token");
        clock.advance(TimeDelta::seconds(10));
        let told = tokens.get().await.unwrap_err().to_string();
        assert!(told.contains("AADSTS7000215") && told.contains("client secret has not ended"));
        assert!(!told.contains("hunter2") && !told.contains("troubleshoot"), "{told}");
    }

    #[tokio::test]
    async fn a_refused_token_is_not_used_again() {
        let clock = Arc::new(FixedClock::at(DateTime::from_timestamp(START, 0).unwrap()));
        let login = Arc::new(Login::default());
        let tokens = tokens(&login, &clock);
        tokens.get().await.unwrap();
        tokens.forget();
        login.is_down.store(true, Ordering::Relaxed);
        assert!(tokens.get().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_service_that_hangs_is_left_after_a_minute() {
        let clock = Arc::new(FixedClock::at(DateTime::from_timestamp(START, 0).unwrap()));
        let login = Arc::new(Login::default());
        login.hangs.store(true, Ordering::Relaxed);
        let told = tokens(&login, &clock).get().await.unwrap_err().to_string();
        assert!(told.contains("no answer within 60 s"), "{told}");
    }
}
