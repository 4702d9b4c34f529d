//! The clouds of Microsoft, and what they call their hosts.

use std::str::FromStr;

use azure_core::cloud::CloudConfiguration;

/// A cloud, as `cloud = "…"` names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::sources) enum Cloud {
    #[default]
    Global,
    UsGov,
    UsGovDod,
    China,
}

impl Cloud {
    /// The host that gives tokens. It must be the one that `azure_identity` asks, because a client
    /// assertion is made out to it.
    pub(in crate::sources) fn login_host(self) -> &'static str {
        match self {
            Self::Global => "login.microsoftonline.com",
            Self::UsGov | Self::UsGovDod => "login.microsoftonline.us",
            Self::China => "login.chinacloudapi.cn",
        }
    }

    pub(in crate::sources) fn graph_root(self) -> &'static str {
        match self {
            Self::Global => "https://graph.microsoft.com",
            Self::UsGov => "https://graph.microsoft.us",
            Self::UsGovDod => "https://dod-graph.microsoft.us",
            Self::China => "https://microsoftgraph.chinacloudapi.cn",
        }
    }

    /// What stands behind the name of an account in the host of its blobs.
    pub(in crate::sources) fn blob_suffix(self) -> &'static str {
        match self {
            Self::Global => "blob.core.windows.net",
            Self::UsGov | Self::UsGovDod => "blob.core.usgovcloudapi.net",
            Self::China => "blob.core.chinacloudapi.cn",
        }
    }

    /// What a token for this Graph is asked for with.
    pub(in crate::sources) fn scope(self) -> String {
        format!("{}/.default", self.graph_root())
    }

    /// The same cloud in the words of `azure_identity`.
    pub(in crate::sources) fn configuration(self) -> CloudConfiguration {
        match self {
            Self::Global => CloudConfiguration::AzurePublic,
            Self::UsGov | Self::UsGovDod => CloudConfiguration::AzureGovernment,
            Self::China => CloudConfiguration::AzureChina,
        }
    }
}

impl FromStr for Cloud {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "global" => Ok(Self::Global),
            "us_gov" => Ok(Self::UsGov),
            "us_gov_dod" => Ok(Self::UsGovDod),
            "china" => Ok(Self::China),
            other => Err(format!(
                "`cloud` is `{other}`; write \"global\", \"us_gov\", \"us_gov_dod\" or \"china\""
            )),
        }
    }
}
