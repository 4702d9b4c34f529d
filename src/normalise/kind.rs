//! Which log a record is of, and if it is a sign-in, of which type.

use crate::model::{Rejected, SignInType};

use super::fields::{Apart, Fields, Mark};
use super::key::Key;
use super::value;

/// What a category or table name says.
#[derive(Clone, Copy)]
enum Log {
    SignIn(SignInType),
    Other(&'static str),
}

/// Categories of diagnostic settings; with `AAD` before them most are tables of Log Analytics.
const LOGS: &[(&str, Log)] = &[
    ("managedidentitysigninlogs", Log::SignIn(SignInType::ManagedIdentity)),
    ("serviceprincipalsigninlogs", Log::SignIn(SignInType::ServicePrincipal)),
    ("noninteractiveusersigninlogs", Log::SignIn(SignInType::NonInteractiveUser)),
    ("signinlogs", Log::SignIn(SignInType::InteractiveUser)),
    ("adfssigninlogs", Log::SignIn(SignInType::InteractiveUser)),
    ("microsoftserviceprincipalsigninlogs", Log::SignIn(SignInType::MicrosoftServicePrincipal)),
    ("auditlogs", Log::Other("directory audit")),
    ("applicationmanagement", Log::Other("directory audit")),
    ("usermanagement", Log::Other("directory audit")),
    ("groupmanagement", Log::Other("directory audit")),
    ("rolemanagement", Log::Other("directory audit")),
    ("directorymanagement", Log::Other("directory audit")),
    ("riskyusers", Log::Other("risk")),
    ("userriskevents", Log::Other("risk")),
    ("riskyserviceprincipals", Log::Other("risk")),
    ("serviceprincipalriskevents", Log::Other("risk")),
    ("identityprotection", Log::Other("risk")),
    ("provisioninglogs", Log::Other("provisioning")),
    ("provisioning", Log::Other("provisioning")),
    ("microsoftgraphactivitylogs", Log::Other("Graph activity")),
    ("administrative", Log::Other("subscription activity")),
    ("azureactivity", Log::Other("subscription activity")),
    ("security", Log::Other("subscription activity")),
    ("alert", Log::Other("subscription activity")),
    ("action", Log::Other("subscription activity")),
    ("policy", Log::Other("subscription activity")),
    ("recommendation", Log::Other("subscription activity")),
    ("autoscale", Log::Other("subscription activity")),
    ("servicehealth", Log::Other("subscription activity")),
    ("resourcehealth", Log::Other("subscription activity")),
    ("auditevent", Log::Other("Key Vault")),
    ("storageread", Log::Other("storage")),
    ("storagewrite", Log::Other("storage")),
    ("storagedelete", Log::Other("storage")),
];

fn log_of(name: &str) -> Option<Log> {
    let find = |name: &str| {
        LOGS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, log)| *log)
    };
    find(name).or_else(|| {
        let (start, rest) = name.split_at_checked(3)?;
        start.eq_ignore_ascii_case("AAD").then(|| find(rest))?
    })
}

/// The table without what a search job, a restore or a custom table adds to its name.
fn log_of_table(name: &str) -> Option<Log> {
    log_of(name).or_else(|| {
        let (table, ending) = name.rsplit_once('_')?;
        let is_copy = ["SRCH", "RST", "CL"].iter().any(|it| ending.eq_ignore_ascii_case(it));
        is_copy.then(|| log_of(table))?
    })
}

/// The sign-in type, or as what the record is recognised instead.
pub(super) fn sign_in_type(fields: &Fields<'_>) -> Result<SignInType, Rejected> {
    if fields.apart == Some(Apart::Summary) {
        return Err(Rejected::Other("sign-in summary"));
    }
    let stated = log_of(fields.get(Key::Category)).or_else(|| log_of_table(fields.get(Key::Type)));
    match (stated, fields.sign_in_type) {
        (Some(Log::Other(log)), _) => Err(Rejected::Other(log)),
        (Some(Log::SignIn(_)), _) if is_summary_of_rows(fields) => {
            Err(Rejected::Other("query summary"))
        }
        _ if fields.is(Mark::Counted) && !fields.has(Key::Id) => {
            Err(Rejected::Other("query summary"))
        }
        (_, Some(kind)) | (Some(Log::SignIn(kind)), None) => Ok(kind),
        (None, None) => by_shape(fields),
    }
}

/// The result of a query that counts sign-ins keeps `Type`, and has nothing of a single one.
fn is_summary_of_rows(fields: &Fields<'_>) -> bool {
    let of_one_sign_in = [
        Key::Id,
        Key::CreatedDateTime,
        Key::TimeGenerated,
        Key::Time,
        Key::AppId,
        Key::ServicePrincipalId,
        Key::ResultType,
    ];
    fields.has(Key::Type) && !of_one_sign_in.into_iter().any(|key| fields.has(key))
}

/// A record that does not say what it is.
fn by_shape(fields: &Fields<'_>) -> Result<SignInType, Rejected> {
    let parts = [
        &[Key::AppId][..],
        &[Key::ServicePrincipalId],
        &[Key::ErrorCode, Key::ResultType],
        &[Key::ResourceDisplayName, Key::ResourceIdentity],
    ];
    let parts = parts.into_iter().filter(|keys| keys.iter().any(|key| fields.has(*key))).count();
    // A row has only the columns that a query asked for, and other tables have times, too.
    let is_row = [Key::TimeGenerated, Key::Time].into_iter().any(|key| fields.has(key))
        && [Key::ErrorCode, Key::ResultType].into_iter().any(|key| fields.has(key))
        && [Key::AppId, Key::ServicePrincipalId].into_iter().any(|key| fields.has(key));
    let is_sign_in = fields.get(Key::OperationName).eq_ignore_ascii_case("Sign-in activity")
        || (parts >= 2 && (fields.has(Key::CreatedDateTime) || is_row));
    if let (Some(Apart::Log(log)), false) = (fields.apart, is_sign_in && fields.has(Key::AppId)) {
        return Err(Rejected::Other(log));
    }
    if !is_sign_in {
        return Err(unknown(fields));
    }
    let has_user = fields.has(Key::UserPrincipalName) || fields.has(Key::UserId);
    let msi_type = fields.get(Key::MsiType);
    let is_managed = fields.has(Key::AssociatedResourceId)
        || ["true", "1"]
            .iter()
            .any(|yes| fields.get(Key::IsManagedIdentity).eq_ignore_ascii_case(yes))
        || !(msi_type.is_empty() || msi_type.eq_ignore_ascii_case("none"));
    Ok(if !has_user && is_managed {
        SignInType::ManagedIdentity
    } else if !has_user
        && (fields.has(Key::ServicePrincipalId) || fields.has(Key::ServicePrincipalName))
    {
        SignInType::ServicePrincipal
    } else if fields.get(Key::IsInteractive).eq_ignore_ascii_case("false") {
        SignInType::NonInteractiveUser
    } else {
        // What Graph gives when no type is asked for.
        SignInType::InteractiveUser
    })
}

fn unknown(fields: &Fields<'_>) -> Rejected {
    let path = fields.get(Key::ResourceId).to_ascii_lowercase();
    let category = fields.get(Key::Category);
    if path.contains("/microsoft.keyvault/") {
        Rejected::Other("Key Vault")
    } else if path.contains("/microsoft.storage/") {
        Rejected::Other("storage")
    } else if path.starts_with("/subscriptions/") {
        Rejected::Other("resource")
    } else if !category.is_empty() && fields.has(Key::Time)
        || fields.has(Key::Type) && (fields.is(Mark::Row) || fields.has(Key::TimeGenerated))
    {
        Rejected::Other("different log's")
    } else if fields.apart == Some(Apart::List) {
        Rejected::Unrecognised("it holds a list of records where one was expected".to_owned())
    } else if !category.is_empty() {
        Rejected::Unrecognised(format!(
            "`category` is `{}` and nothing else says that it is a sign-in",
            value::shown(category)
        ))
    } else {
        Rejected::Unrecognised(
            "it is no sign-in and no record of another log that is known: neither `category` nor \
             `createdDateTime` with `appId` and `status` is there; if it is one, export it with these"
                .to_owned(),
        )
    }
}
