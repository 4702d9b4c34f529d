//! A credential that has its token already.

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};

#[derive(Debug)]
pub(crate) struct Given(pub(crate) String);

#[async_trait]
impl TokenCredential for Given {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        assert_eq!(scopes, ["https://graph.microsoft.com/.default"]);
        let ends = azure_core::time::OffsetDateTime::from_unix_timestamp(4_102_444_800).unwrap();
        Ok(AccessToken::new(self.0.clone(), ends))
    }
}
