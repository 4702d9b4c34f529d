//! What sources have to know of the program that ran before, kept in the database.

use async_trait::async_trait;

use crate::model::Sent;
use crate::sources::Memory;
use crate::store::Allowances;

#[async_trait]
impl Memory for Allowances {
    async fn recall(&self, tenant: &str, application: &str) -> Result<Sent, String> {
        self.sent(tenant, application).await.map_err(|error| error.to_string())
    }

    async fn keep(&self, tenant: &str, application: &str, sent: &Sent) -> Result<(), String> {
        Self::keep(self, tenant, application, sent).await.map_err(|error| error.to_string())
    }
}
