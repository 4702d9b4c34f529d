//! Signing in to Entra, the same for every source that asks a service of Microsoft.

mod certificate;
mod cloud;
mod credential;
mod settings;

pub(super) use cloud::Cloud;
pub(super) use credential::{Credential, Tokens};
pub(super) use settings::{cloud, credential, tenant};
