//! The containers that Entra's diagnostic settings write to, as a source: append blobs, one an hour.

mod blob;
mod refusal;
mod settings;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::Error;
use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, RetryOptions, Transport};
use azure_core::time::OffsetDateTime;
use azure_storage_blob::models::{
    BlobClientDownloadOptions, BlobContainerClientListBlobsOptions, BlobItem, HttpRange,
};
use azure_storage_blob::{BlobServiceClient, BlobServiceClientOptions};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::TryStreamExt;

use crate::clock::{Clock, SystemClock};
use crate::config::{Fault, Section};
use crate::sources::entra::Tokens;
use crate::sources::http;
use crate::sources::{Access, FetchError, GrowingFile, GrowingFiles, Plan, Source};

pub use settings::Settings;

/// The same in every cloud.
const SCOPE: &str = "https://storage.azure.com/.default";

/// Makes the source of a `[[source]]` of kind `storage`.
pub fn build(section: &Section) -> Result<Box<dyn Source>, Vec<Fault>> {
    let settings = Settings::read(section)?;
    let credential =
        settings.credential.make(&settings.tenant_id, settings.cloud).map_err(|error| {
            let (said, remedy) =
                (http::quoted(&error.to_string(), &[]), settings.credential.remedy());
            vec![section.fault(format_args!("`credential` cannot be used here: {said}; {remedy}"))]
        })?;
    let storage = Storage::with_credential(settings, credential)
        .map_err(|sentence| vec![section.fault(sentence)])?;
    Ok(Box::new(storage))
}

/// The sign-ins of one tenant in one storage account, a head for each container.
pub struct Storage {
    settings: Settings,
    account: BlobServiceClient,
    clock: Arc<dyn Clock>,
}

impl Storage {
    /// A source that signs in with what it is given, not with what the settings name. The error is
    /// a sentence.
    pub fn with_credential(
        settings: Settings,
        credential: Arc<dyn TokenCredential>,
    ) -> Result<Self, String> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let client = http::client(&settings.endpoint, settings.timeout)
            .tls_certs_merge(settings.authorities.iter().cloned())
            // A piece of a blob is counted in its own bytes.
            .no_gzip();
        let client = http::built(client)?;
        let tokens = Tokens::new(&settings.credential, credential, SCOPE, Arc::clone(&clock));
        let client_options = ClientOptions {
            transport: Some(Transport::new(Arc::new(client))),
            // When to ask again is a row that `ingest` keeps.
            retry: RetryOptions::none(),
            ..Default::default()
        };
        let options = BlobServiceClientOptions { client_options, ..Default::default() };
        let account = BlobServiceClient::new(
            settings.endpoint.clone(),
            Some(Arc::new(tokens)),
            Some(options),
        )
        .map_err(|error| format!("`endpoint` cannot be used: {error}"))?;
        Ok(Self { settings, account, clock })
    }

    /// The blobs of a container with records since `from`; `None` where there is no such container.
    async fn listed(
        &self,
        container: &str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Option<Vec<GrowingFile>>, FetchError> {
        let mut files = Vec::new();
        for prefix in blob::prefixes(&self.settings.tenant_id, from, to) {
            let options =
                BlobContainerClientListBlobsOptions { prefix: Some(prefix), ..Default::default() };
            let items = match self.items(container, options, usize::MAX).await {
                Ok(items) => items,
                Err(error) if refusal::has_code(&error, &["ContainerNotFound"]) => return Ok(None),
                Err(error) => return Err(self.explain(container, &error)),
            };
            files.extend(items.into_iter().filter_map(|item| self.file(item)));
        }
        files.retain(|file| blob::is_since(file.hour, from));
        Ok(Some(files))
    }

    /// The blobs that a listing gives, page by page, up to `most`.
    async fn items(
        &self,
        container: &str,
        options: BlobContainerClientListBlobsOptions<'_>,
        most: usize,
    ) -> azure_core::Result<Vec<BlobItem>> {
        let mut listing =
            self.account.blob_container_client(container).list_blobs(Some(options))?;
        let mut items = Vec::new();
        while items.len() < most
            && let Some(item) = listing.try_next().await?
        {
            items.push(item);
        }
        Ok(items)
    }

    /// What matters of a blob; `None` for one that is not of the tenant's logs.
    fn file(&self, item: BlobItem) -> Option<GrowingFile> {
        let name = item.name?;
        let hour = blob::hour(&self.settings.tenant_id, &name)?;
        let properties = item.properties?;
        let made_at = properties.creation_time.map_or(0, OffsetDateTime::unix_timestamp);
        Some(GrowingFile {
            name,
            hour,
            made_at: DateTime::from_timestamp(made_at, 0)?,
            size: properties.content_length?,
            etag: properties.etag?.to_string(),
        })
    }

    async fn piece(
        &self,
        container: &str,
        name: &str,
        piece: &Range<u64>,
    ) -> azure_core::Result<Vec<u8>> {
        let length = piece.end - piece.start;
        let options = BlobClientDownloadOptions {
            range: Some(HttpRange::new(piece.start, length)),
            // One request: the caller cuts pieces as large as it wants them.
            partition_size: usize::try_from(length).ok().and_then(std::num::NonZero::new),
            ..Default::default()
        };
        let answer = self.account.blob_client(container, name).download(Some(options)).await?;
        Ok(answer.body.collect().await?.into())
    }

    fn explain(&self, container: &str, error: &Error) -> FetchError {
        refusal::explain(&self.settings, container, error, self.clock.now())
    }

    /// What can be read of a container, as a sentence.
    async fn look(&self, container: &str, now: DateTime<Utc>) -> Result<String, FetchError> {
        let from = TimeDelta::from_std(self.settings.plan.backfill)
            .ok()
            .and_then(|backfill| now.checked_sub_signed(backfill))
            .unwrap_or(DateTime::<Utc>::MIN_UTC);
        let Some(files) = self.listed(container, from, now).await? else {
            return Ok(format!("`{container}` is not there yet: it appears with its first record"));
        };
        let Some(last) = files.iter().max_by_key(|file| file.hour) else {
            return self.look_for_others(container).await;
        };
        // To list is one permission, to read another.
        self.read(container, &last.name, 0..last.size.min(1)).await?;
        let hour = last.hour.format("%Y-%m-%d %H:%M");
        Ok(format!("`{container}` can be read, up to the hour of {hour}"))
    }

    /// Whether an empty stretch is one of a container that others write to.
    async fn look_for_others(&self, container: &str) -> Result<String, FetchError> {
        let options =
            BlobContainerClientListBlobsOptions { maxresults: Some(1), ..Default::default() };
        let items = self.items(container, options, 1).await;
        let items = items.map_err(|error| self.explain(container, &error))?;
        let name = items.into_iter().next().and_then(|item| item.name);
        match name.filter(|name| blob::hour(&self.settings.tenant_id, name).is_none()) {
            Some(name) => Err(FetchError::permanent(format!(
                "`{container}` has blobs, but none of the sign-ins of tenant `{}`: its first is `{}`; \
                 check `tenant_id` and `containers`",
                self.settings.tenant_id,
                http::quoted(&name, &[])
            ))),
            None => Ok(format!("`{container}` can be read, and has nothing within `backfill`")),
        }
    }
}

#[async_trait]
impl Source for Storage {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn kind(&self) -> &'static str {
        "storage"
    }

    fn plan(&self) -> &Plan {
        &self.settings.plan
    }

    fn tenant_id(&self) -> &str {
        &self.settings.tenant_id
    }

    fn access(&self) -> Access<'_> {
        Access::Files(self)
    }

    async fn check(&self, now: DateTime<Utc>) -> Result<String, FetchError> {
        let mut told = Vec::new();
        for container in &self.settings.plan.heads {
            told.push(self.look(container, now).await?);
        }
        Ok(told.join("; "))
    }
}

#[async_trait]
impl GrowingFiles for Storage {
    async fn list(
        &self,
        head: &str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<GrowingFile>, FetchError> {
        let listed = self.listed(head, from, to).await?;
        if listed.is_none() {
            tracing::debug!(
                source = self.settings.name,
                container = head,
                "the container is not there yet: it appears with its first record"
            );
        }
        Ok(listed.unwrap_or_default())
    }

    async fn read(
        &self,
        head: &str,
        name: &str,
        piece: Range<u64>,
    ) -> Result<Option<Vec<u8>>, FetchError> {
        if piece.is_empty() {
            return Ok(Some(Vec::new()));
        }
        match self.piece(head, name, &piece).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error)
                if refusal::has_code(
                    &error,
                    &["BlobNotFound", "ContainerNotFound", "InvalidRange"],
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(self.explain(head, &error)),
        }
    }
}
