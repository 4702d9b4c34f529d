//! What things are called in a fleet that was made up: Harbourline Freight.

/// A service that tokens are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
}

pub(super) const ARM: Service = Service {
    id: "797f4846-ba00-4fd7-ba43-dac1f8f63013",
    name: "Windows Azure Service Management API",
};
pub(super) const KEY_VAULT: Service =
    Service { id: "cfa8b339-82a2-471a-a3c9-0fc0be7a4093", name: "Azure Key Vault" };
pub(super) const STORAGE: Service =
    Service { id: "e406a681-f3d4-42a8-90b6-c2b029497af1", name: "Azure Storage" };
pub(super) const GRAPH: Service =
    Service { id: "00000003-0000-0000-c000-000000000000", name: "Microsoft Graph" };
pub(super) const SQL: Service =
    Service { id: "022907d3-0f1b-48f7-badc-1ba6abab6d66", name: "Azure SQL Database" };
pub(super) const SERVICE_BUS: Service =
    Service { id: "80a10ef9-8168-493d-abf9-3297c4ef6e3c", name: "Microsoft.ServiceBus" };
pub(super) const LOG_ANALYTICS: Service =
    Service { id: "ca7f3f0b-7d91-482c-8e09-c5d840d0eac5", name: "Log Analytics API" };

/// What everyday work asks for.
pub(super) const EVERYDAY: [Service; 4] = [STORAGE, SQL, SERVICE_BUS, LOG_ANALYTICS];

/// A kind of Azure resource that has an identity.
pub(super) struct Host {
    pub(super) prefix: &'static str,
    /// The provider and type in its ARM id.
    pub(super) provider: &'static str,
}

pub(super) const HOSTS: [Host; 8] = [
    Host { prefix: "func", provider: "Microsoft.Web/sites" },
    Host { prefix: "app", provider: "Microsoft.Web/sites" },
    Host { prefix: "vm", provider: "Microsoft.Compute/virtualMachines" },
    Host { prefix: "aks", provider: "Microsoft.ContainerService/managedClusters" },
    Host { prefix: "ca", provider: "Microsoft.App/containerApps" },
    Host { prefix: "logic", provider: "Microsoft.Logic/workflows" },
    Host { prefix: "adf", provider: "Microsoft.DataFactory/factories" },
    Host { prefix: "aa", provider: "Microsoft.Automation/automationAccounts" },
];

pub(super) const USER_ASSIGNED: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";

pub(super) const WORK: [&str; 24] = [
    "orders",
    "invoices",
    "tracking",
    "customs",
    "quotes",
    "manifests",
    "billing",
    "telemetry",
    "routing",
    "fleet",
    "berths",
    "cranes",
    "tariffs",
    "claims",
    "catalogue",
    "search",
    "reports",
    "archive",
    "alerts",
    "payroll",
    "docs",
    "identity",
    "gateway",
    "scheduler",
];

pub(super) const STAGES: [&str; 3] = ["prod", "test", "dev"];

pub(super) const REGIONS: [&str; 3] = ["weu", "neu", "swc"];

/// Addresses that the firm's own services sign in from, all of documentation ranges.
pub(super) const HOME_NETS: [&str; 3] = ["192.0.2", "198.51.100", "203.0.113"];
