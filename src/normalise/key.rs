//! The keys of a record that mean something to us, found by their spelling in any case.

use super::spelling;

/// Declares the keys with their spelling in lower case, and their number.
macro_rules! keys {
    ($($(#[$doc:meta])* $key:ident $(= $name:literal)+,)+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Key {
            $($(#[$doc])* $key,)+
            /// A key that says nothing to us.
            Unknown,
        }

        const NAMES: &[(&str, Key)] = &[$($(($name, Key::$key),)+)+];
    };
}

keys! {
    // Texts: each has a slot in `Fields`. `TEXTS` counts them, so they stand first.
    Id = "id" = "requestid" = "request id",
    CreatedDateTime = "createddatetime" = "createdat" = "date",
    Time = "time" = "timestamp",
    TimeGenerated = "timegenerated",
    AppId = "appid" = "application id" = "applicationid",
    AppDisplayName = "appdisplayname" = "application",
    ServicePrincipalId = "serviceprincipalid" = "service principal id",
    ServicePrincipalName = "serviceprincipalname" = "service principal name",
    /// The target application in Graph and in `properties`; the tenant's path beside them.
    ResourceId = "resourceid" = "resource id",
    /// The target application in Log Analytics.
    ResourceIdentity = "resourceidentity",
    ResourceDisplayName = "resourcedisplayname" = "resource",
    ResourceServicePrincipalId = "resourceserviceprincipalid",
    TenantId = "tenantid",
    AadTenantId = "aadtenantid",
    ClientCredentialType = "clientcredentialtype" = "client credential type",
    CredentialKeyId = "serviceprincipalcredentialkeyid" = "service principal credential key id",
    IncomingTokenType = "incomingtokentype" = "incoming token type",
    TokenIssuerType = "tokenissuertype" = "token issuer type",
    CrossTenantAccessType = "crosstenantaccesstype" = "cross tenant access type",
    FederatedCredentialId = "federatedcredentialid" = "federated credential id",
    ConditionalAccessStatus = "conditionalaccessstatus" = "conditional access",
    ResourceTenantId = "resourcetenantid" = "resource tenant id",
    AppOwnerTenantId = "appownertenantid" = "app owner tenant id",
    UserAgent = "useragent" = "user agent",
    AutonomousSystemNumber = "autonomoussystemnumber" = "autonomous system number",
    IpAddress = "ipaddress" = "ip address",
    CallerIpAddress = "calleripaddress",
    UserPrincipalName = "userprincipalname" = "username" = "accountupn",
    UserId = "userid" = "user id",
    IsInteractive = "isinteractive",
    Category = "category",
    Type = "type" = "$table",
    OperationName = "operationname",
    ResultType = "resulttype",
    ResultSignature = "resultsignature",
    ResultDescription = "resultdescription",
    CorrelationId = "correlationid" = "correlation id",
    ErrorCode = "errorcode" = "sign-in error code" = "signinerrorcode",
    FailureReason = "failurereason" = "failure reason",
    Country = "countryorregion" = "country",
    MsiType = "msitype" = "managedidentitytype" = "managed identity type",
    AssociatedResourceId = "associatedresourceid",
    IsManagedIdentity = "ismanagedidentity",
    FederatedTokenIssuer = "federatedtokenissuer",
    SourceSystem = "sourcesystem",
    // Objects that hold more of them, or texts of JSON.
    Properties = "properties",
    Status = "status",
    Location = "location" = "locationdetails",
    ManagedServiceIdentity = "managedserviceidentity",
    SignInEventTypes = "signineventtypes",
    /// `event.original` of an Elastic document holds the record itself.
    EcsEvent = "event",
    EcsSource = "_source",
    EcsOriginal = "event.original" = "original" = "message",
    EcsTimestamp = "@timestamp",
    /// Where an Elastic document keeps the fields of the record.
    EcsAzure = "azure",
    EcsSignInLogs = "signinlogs",
    // Keys that only other logs have.
    SignInCount = "signincount" = "numberofsignins",
    /// What a query counted; a name that ends so is one, too.
    Counted = "count" = "count_",
    OfAudit = "activitydisplayname" = "initiatedby" = "targetresources" = "loggedbyservice",
    OfRisk = "riskeventtype" = "risktype" = "detecteddatetime" = "risklastupdateddatetime" = "isprocessing",
    OfProvisioning = "provisioningaction" = "provisioningsteps" = "changeid" = "cycleid",
    OfActivity = "authorization" = "claims" = "eventdataid" = "operationnamevalue" = "eventcategory",
    OfGraphActivity = "requesturi" = "signinactivityid",
    OfReport = "lastsigninactivity" = "delegatedclientsigninactivity"
        = "applicationauthenticationclientsigninactivity",
    OfOffice = "recordtype" = "officeworkload",
    /// `labels.json` of `signinel simulate` lies beside its records.
    OfSimulation = "is_benign",
    /// Records of several kinds wrapped in one: never a record.
    List = "records" = "value" = "tables",
}

/// Keys that hold one text.
pub(super) const TEXTS: usize = Key::SourceSystem as usize + 1;

const SIZE: usize = 512;

/// Open addressing by a hash of length and four letters; filled when the program is compiled.
static TABLE: [u8; SIZE] = {
    let mut table = [u8::MAX; SIZE];
    let mut at = 0;
    while at < NAMES.len() {
        let mut slot = hash(NAMES[at].0.as_bytes());
        while table[slot] != u8::MAX {
            slot = (slot + 1) % SIZE;
        }
        #[expect(clippy::cast_possible_truncation, reason = "there are fewer than 255 names")]
        {
            table[slot] = at as u8;
        }
        at += 1;
    }
    table
};

const fn hash(name: &[u8]) -> usize {
    let length = name.len();
    if length == 0 {
        return 0;
    }
    let mixed = (name[0] | 0x20) as usize * 7
        + (name[length / 2] | 0x20) as usize * 31
        + (name[length - 1] | 0x20) as usize * 3
        + (name[length / 3] | 0x20) as usize * 61
        + length * 17;
    mixed % SIZE
}

impl Key {
    /// The key of this name, whatever its case and whatever stands between its words.
    pub(super) fn of(name: &str) -> Self {
        match Self::known(name) {
            Self::Unknown => spelling::other(name),
            key => key,
        }
    }

    /// The key of a name that is written as it is here, but for its case.
    pub(super) fn known(name: &str) -> Self {
        let mut slot = hash(name.as_bytes());
        while let Some(&(known, key)) = NAMES.get(usize::from(TABLE[slot])) {
            if known.len() == name.len() && known.eq_ignore_ascii_case(name) {
                return key;
            }
            slot = (slot + 1) % SIZE;
        }
        Self::Unknown
    }

    pub(super) fn is_time(self) -> bool {
        matches!(self, Self::CreatedDateTime | Self::Time | Self::TimeGenerated)
    }

    /// As what other log a record with this key is known.
    pub(super) fn other_log(self) -> Option<&'static str> {
        Some(match self {
            Self::OfAudit => "directory audit",
            Self::OfRisk => "risk",
            Self::OfProvisioning => "provisioning",
            Self::OfActivity => "subscription activity",
            Self::OfGraphActivity => "Graph activity",
            Self::OfReport => "sign-in activity report",
            Self::OfOffice => "Microsoft 365 audit",
            Self::OfSimulation => "simulation label",
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case() {
        for (name, key) in NAMES {
            assert_eq!(Key::of(name), *key, "{name}");
            assert_eq!(Key::of(&name.to_ascii_uppercase()), *key, "{name}");
        }
        assert_eq!(Key::of("riskDetail"), Key::Unknown);
        assert_eq!(Key::of(""), Key::Unknown);
        assert_eq!(Key::of("é"), Key::Unknown);
    }
}
