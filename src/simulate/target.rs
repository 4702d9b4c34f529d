//! What workloads ask tokens for, and why they are refused.

/// A service that tokens are for. `appId` is Microsoft's own; the object id is this tenant's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) app_id: &'static str,
    pub(super) name: &'static str,
    pub(super) object_id: &'static str,
}

macro_rules! targets {
    ($($(#[$doc:meta])* $constant:ident = $app_id:literal, $name:literal, $object_id:literal;)+) => {
        $($(#[$doc])* pub(super) static $constant: Target =
            Target { app_id: $app_id, name: $name, object_id: $object_id };)+
    };
}

targets! {
    ARM = "797f4846-ba00-4fd7-ba43-dac1f8f63013", "Windows Azure Service Management API", "af8ad3ac-1f25-4227-a8ee-75f68d8d6b54";
    KEY_VAULT = "cfa8b339-82a2-471a-a3c9-0fc0be7a4093", "Azure Key Vault", "2e91f62d-27c8-4e57-a45d-ee78a74c3762";
    STORAGE = "e406a681-f3d4-42a8-90b6-c2b029497af1", "Azure Storage", "045ef914-c58a-41a0-830f-349527543eac";
    GRAPH = "00000003-0000-0000-c000-000000000000", "Microsoft Graph", "e079486b-6984-453f-a510-7ac8fc24390b";
    SQL = "022907d3-0f1b-48f7-badc-1ba6abab6d66", "Azure SQL Database", "0f0b61b9-a71c-4858-afae-101b902e667e";
    SERVICE_BUS = "80a10ef9-8168-493d-abf9-3297c4ef6e3c", "Microsoft.ServiceBus", "d621b940-75ca-4654-8429-2d80f65dc71a";
    LOG_ANALYTICS = "ca7f3f0b-7d91-482c-8e09-c5d840d0eac5", "Log Analytics API", "6fa74d0f-9850-4aca-885a-c8fbf8ce81b3";
    EVENT_HUBS = "80369ed6-5f11-4dd9-bef3-692475845e77", "Microsoft.EventHubs", "af296b81-2d84-41a3-a7d8-ca7f915410bc";
    COSMOS_DB = "a232010e-820c-4083-83bb-3ace5fc29d0b", "Azure Cosmos DB", "86a1b093-e5ea-4194-8035-72622912070b";
    REGISTRY = "6a0ec4d3-30cb-4a83-91c0-ae56bc0e3d26", "Azure Container Registry", "dea75680-9ab1-4823-a037-3c497eecf9d8";
    DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798", "Azure DevOps", "7b88d005-78fa-4c86-a8be-0204ee3c1c32";
    /// What a request names whose resource the tenant does not know.
    UNKNOWN = "", "", "00000000-0000-0000-0000-000000000000";
    /// Another cloud's resource: the tenant holds no principal for it.
    OTHER_CLOUD = "40a69793-8fe6-4db1-9591-dbc5c57b17d8", "Azure Government Cloud Management API", "00000000-0000-0000-0000-000000000000";
}

/// `status.failureReason` of a code; the braces stand in Graph's records too.
pub(super) fn failure_reason(code: i64) -> &'static str {
    match code {
        0 => "Other.",
        50_020 => {
            "User account '{email}' from identity provider '{idp}' does not exist in tenant '{tenant}' and cannot access the application."
        }
        50_196 => "The server ended the request because it found a loop in the client's requests.",
        65_001 => "The application was not granted what it asks for by a user or an administrator.",
        70_011 => "The scope of the request is not valid.",
        53_003 => "Access has been blocked by Conditional Access policies.",
        90_033 => "A transient error has occurred. Please try again.",
        90_055 => "Too many requests of this tenant. Please try again later.",
        500_341 => "The account {identifier} has been deleted from the directory.",
        501_051 => "Application '{clientId}' has no role in application '{resourceId}'.",
        530_032 => "Access was refused by a security policy of the tenant.",
        650_056 => "The application is configured wrongly.",
        500_011 => {
            "The resource principal named {name} was not found in the tenant named {tenant}."
        }
        700_016 => {
            "Application with identifier '{appIdentifier}' was not found in the directory '{tenantName}'."
        }
        700_024 => "The client assertion is not within its time of validity.",
        700_027 => "Client assertion failed signature validation.",
        700_213 => {
            "No matching federated identity record found for presented assertion subject '{subject}'."
        }
        1_000_502 => "The provided certificate is not within its specified validity window.",
        7_000_112 => "Application '{appIdentifier}'({appName}) is disabled.",
        7_000_215 => "Invalid client secret provided.",
        7_000_222 => "The provided client secret keys for app '{identifier}' are expired.",
        _ => "Sign-in was refused.",
    }
}
