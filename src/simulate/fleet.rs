//! The workload identities of Harbourline Freight: what they are called, what they run on, what they
//! ask for, and how they prove who they are.

use std::sync::Arc;

use uuid::Uuid;

use super::cadence::Cadence;
use super::draw::{Draw, Purpose};
use super::place::{Address, BOYDTON, DUBLIN, ROTTERDAM};
use super::target::{
    ARM, COSMOS_DB, DEVOPS, EVENT_HUBS, GRAPH, KEY_VAULT, LOG_ANALYTICS, REGISTRY, SERVICE_BUS,
    SQL, STORAGE, Target,
};
use super::tick::DAY;
use crate::model::SignInType;
use Cadence::{Business, Daily, Deploys, Hourly, Minutes, Night, Weekly};
use Proof::{Certificate, Cluster, FederatedManaged, GitHub, Secret, SystemAssigned, UserAssigned};

/// What an application proves itself with.
#[derive(Clone, Debug)]
pub(super) enum Credential {
    /// A managed identity: Azure holds it.
    Managed,
    Secret {
        key_id: Uuid,
    },
    Certificate {
        key_id: Uuid,
    },
    Federated {
        id: Uuid,
        issuer: &'static str,
    },
}

/// An identity as its records show it. Some scenarios change what is shown; they clone it.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) kind: SignInType,
    pub(super) service_principal_id: Option<Uuid>,
    pub(super) app_id: Uuid,
    pub(super) name: String,
    /// Empty for service principals.
    pub(super) arm_resource_id: String,
    pub(super) user_assigned: bool,
    pub(super) credential: Credential,
    pub(super) address: Option<Address>,
    /// The account, where a user asks and not a workload.
    pub(super) user: Option<User>,
    pub(super) targets: &'static [&'static Target],
    pub(super) cadence: Cadence,
    /// Where in the day its habits lie, in ticks.
    pub(super) phase: i64,
    pub(super) risk: &'static str,
    /// `crossTenantAccessType`.
    pub(super) crossing: &'static str,
}

#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) id: Uuid,
    pub(super) principal_name: String,
    pub(super) display_name: String,
    pub(super) home_tenant_id: Uuid,
}

impl Identity {
    pub(super) fn is_managed(&self) -> bool {
        self.kind == SignInType::ManagedIdentity
    }

    pub(super) fn has_secret(&self) -> bool {
        matches!(self.credential, Credential::Secret { .. })
    }

    pub(super) fn has_certificate(&self) -> bool {
        matches!(self.credential, Credential::Certificate { .. })
    }

    pub(super) fn is_federated(&self) -> bool {
        matches!(self.credential, Credential::Federated { .. })
    }

    pub(super) fn asks_for(&self, target: &Target) -> bool {
        self.targets.iter().any(|known| known.app_id == target.app_id)
    }

    /// The same identity after it was deleted and made anew: same name, same place, new ids.
    pub(super) fn recreated(&self, draw: &mut Draw) -> Self {
        Self { service_principal_id: Some(draw.guid()), app_id: draw.guid(), ..self.clone() }
    }

    /// The same identity with a new secret or certificate.
    pub(super) fn with_new_key(&self, draw: &mut Draw) -> Self {
        let credential = match &self.credential {
            Credential::Secret { .. } => Credential::Secret { key_id: draw.guid() },
            Credential::Certificate { .. } => Credential::Certificate { key_id: draw.guid() },
            other => other.clone(),
        };
        Self { credential, ..self.clone() }
    }
}

/// How a row of the tables below proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    SystemAssigned,
    UserAssigned,
    /// A user-assigned identity that tokens of a cluster stand for.
    FederatedManaged,
    Secret,
    Certificate,
    GitHub,
    Cluster,
}

/// One sort of workload. `{w}` is its work, `{e}` the environment, `{r}` the region.
#[derive(Debug)]
pub(super) struct Sort {
    name: &'static str,
    provider: &'static str,
    proof: Proof,
    targets: &'static [&'static Target],
    cadence: Cadence,
}

pub(super) const fn sort(
    name: &'static str,
    provider: &'static str,
    proof: Proof,
    targets: &'static [&'static Target],
    cadence: Cadence,
) -> Sort {
    Sort { name, provider, proof, targets, cadence }
}

pub(super) const USER_ASSIGNED: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";

static MANAGED: [Sort; 14] = [
    sort(
        "func-{w}-{e}-{r}",
        "Microsoft.Web/sites",
        SystemAssigned,
        &[&STORAGE, &KEY_VAULT, &SERVICE_BUS],
        Daily(1),
    ),
    sort("id-{w}-{e}", USER_ASSIGNED, UserAssigned, &[&STORAGE, &SQL], Daily(2)),
    sort(
        "id-{w}-worker-{e}",
        USER_ASSIGNED,
        UserAssigned,
        &[&SERVICE_BUS, &STORAGE, &KEY_VAULT],
        Daily(1),
    ),
    sort(
        "vm-{w}-{e}-01",
        "Microsoft.Compute/virtualMachines",
        SystemAssigned,
        &[&ARM, &LOG_ANALYTICS],
        Daily(1),
    ),
    sort("id-aks-kubelet-{w}-{e}", USER_ASSIGNED, UserAssigned, &[&REGISTRY, &KEY_VAULT], Hourly),
    sort("app-{w}-{e}-{r}", "Microsoft.Web/sites", SystemAssigned, &[&SQL, &KEY_VAULT], Daily(2)),
    sort(
        "aa-{w}-{e}",
        "Microsoft.Automation/automationAccounts",
        SystemAssigned,
        &[&ARM, &LOG_ANALYTICS, &GRAPH],
        Night,
    ),
    sort(
        "logic-{w}-{e}",
        "Microsoft.Logic/workflows",
        SystemAssigned,
        &[&KEY_VAULT, &SERVICE_BUS],
        Business(9),
    ),
    sort(
        "ca-{w}-{e}-{r}",
        "Microsoft.App/containerApps",
        SystemAssigned,
        &[&SERVICE_BUS, &STORAGE],
        Daily(2),
    ),
    sort(
        "adf-{w}-{e}",
        "Microsoft.DataFactory/factories",
        SystemAssigned,
        &[&STORAGE, &SQL, &KEY_VAULT],
        Night,
    ),
    sort(
        "aks-{w}-{e}-{r}",
        "Microsoft.ContainerService/managedClusters",
        SystemAssigned,
        &[&ARM],
        Hourly,
    ),
    sort(
        "func-{w}-events-{e}",
        "Microsoft.Web/sites",
        SystemAssigned,
        &[&EVENT_HUBS, &COSMOS_DB],
        Business(6),
    ),
    sort(
        "vmss-{w}-{e}",
        "Microsoft.Compute/virtualMachineScaleSets",
        SystemAssigned,
        &[&STORAGE, &LOG_ANALYTICS],
        Daily(3),
    ),
    sort(
        "mlw-{w}-{e}",
        "Microsoft.MachineLearningServices/workspaces",
        SystemAssigned,
        &[&STORAGE, &REGISTRY, &ARM],
        Weekly,
    ),
];

static PRINCIPALS: [Sort; 12] = [
    sort("sp-{w}-sync-{e}", "", Secret, &[&GRAPH, &STORAGE], Minutes(12)),
    sort("gh-{w}-deploy-{e}", "", GitHub, &[&ARM, &REGISTRY], Deploys),
    sort("sp-{w}-backup-{e}", "", Certificate, &[&STORAGE, &KEY_VAULT], Hourly),
    sort("sp-{w}-reports-{e}", "", Secret, &[&SQL], Business(14)),
    sort("wi-{w}-{e}", "", Cluster, &[&KEY_VAULT, &SERVICE_BUS], Hourly),
    sort("sp-{w}-connector-{e}", "", Secret, &[&SERVICE_BUS, &SQL], Minutes(5)),
    sort("sp-{w}-gateway-{e}", "", Certificate, &[&KEY_VAULT], Minutes(30)),
    sort("sp-{w}-export-{e}", "", Secret, &[&STORAGE], Hourly),
    sort("gh-{w}-infra-{e}", "", GitHub, &[&ARM], Deploys),
    sort("sp-{w}-scanner-{e}", "", Secret, &[&DEVOPS, &LOG_ANALYTICS], Night),
    sort("sp-{w}-sap-{e}", "", Certificate, &[&SERVICE_BUS, &STORAGE], Hourly),
    sort("sp-{w}-portal-{e}", "", Secret, &[&COSMOS_DB, &STORAGE], Minutes(15)),
];

const WORKS: [&str; 24] = [
    "orders", "billing", "berths", "customs", "tracking", "pricing", "fleet", "manifest",
    "dispatch", "invoices", "crew", "cargo", "quotes", "claims", "bookings", "fuel", "weather",
    "ledger", "partners", "catalog", "returns", "routing", "payroll", "yard",
];
const ENVIRONMENTS: [&str; 4] = ["prod", "prod", "test", "dev"];
const REGIONS: [&str; 3] = ["weu", "neu", "gwc"];

/// The identities of one tenant, by number.
#[derive(Debug)]
pub(super) struct Fleet(pub(super) Vec<Arc<Identity>>);

impl Fleet {
    pub(super) fn new(seed: u64, identities: u32) -> Self {
        Self((0..identities).map(|number| Arc::new(identity(seed, number))).collect())
    }
}

/// Seven of ten are managed identities. The sort follows from the number and not from chance, so that
/// a small fleet has some of every sort.
fn identity(seed: u64, number: u32) -> Identity {
    let (ten, place) = (number / 10, number % 10);
    let (round, sort) = if place < 7 {
        let row = ten * 7 + place;
        (row / 14, &MANAGED[row as usize % MANAGED.len()])
    } else {
        let row = ten * 3 + (place - 7);
        (row / 12, &PRINCIPALS[row as usize % PRINCIPALS.len()])
    };
    made(sort, round, &mut Draw::new(seed, Purpose::Identity, u64::from(number), 0))
}

pub(super) fn made(sort: &'static Sort, round: u32, draw: &mut Draw) -> Identity {
    let work = *draw.pick(&WORKS);
    let environment = *draw.pick(&ENVIRONMENTS);
    let region = *draw.pick(&REGIONS);
    let mut name =
        sort.name.replace("{w}", work).replace("{e}", environment).replace("{r}", region);
    // Real estates number what they have many of.
    if round > 0 {
        name = format!("{name}-{round:02}");
    }
    let managed = matches!(sort.proof, SystemAssigned | UserAssigned | FederatedManaged);
    let arm_resource_id = if managed {
        arm_resource_id(&draw.guid(), &format!("rg-{work}-{environment}"), sort.provider, &name)
    } else {
        String::new()
    };
    let place = match sort.proof {
        GitHub => &BOYDTON,
        Cluster => &DUBLIN,
        _ => *draw.pick(&[&ROTTERDAM, &DUBLIN]),
    };
    let host = u8::try_from(10 + draw.below(200)).expect("below 210");
    Identity {
        kind: if managed { SignInType::ManagedIdentity } else { SignInType::ServicePrincipal },
        service_principal_id: Some(draw.guid()),
        app_id: draw.guid(),
        name,
        arm_resource_id,
        user_assigned: matches!(sort.proof, UserAssigned | FederatedManaged),
        credential: credential(sort.proof, draw),
        address: (!managed).then_some(Address { place, host }),
        user: None,
        targets: sort.targets,
        cadence: sort.cadence,
        phase: draw.between(0, DAY),
        risk: if draw.percent(15) { "low" } else { "none" },
        crossing: "none",
    }
}

fn credential(proof: Proof, draw: &mut Draw) -> Credential {
    match proof {
        SystemAssigned | UserAssigned => Credential::Managed,
        Secret => Credential::Secret { key_id: draw.guid() },
        Certificate => Credential::Certificate { key_id: draw.guid() },
        GitHub => Credential::Federated {
            id: draw.guid(),
            issuer: "https://token.actions.githubusercontent.com",
        },
        Cluster | FederatedManaged => Credential::Federated {
            id: draw.guid(),
            issuer: "https://westeurope.oic.prod-aks.azure.com/7c1e5b0a-3d92-4f0e-9a41-5e8b6d20c3f7/",
        },
    }
}

pub(super) fn arm_resource_id(
    subscription: &Uuid,
    group: &str,
    provider: &str,
    name: &str,
) -> String {
    format!("/subscriptions/{subscription}/resourcegroups/{group}/providers/{provider}/{name}")
}

/// A managed identity that no table has: scenarios bring some along.
pub(super) fn newcomer(
    name: String,
    provider: &str,
    targets: &'static [&'static Target],
    draw: &mut Draw,
) -> Identity {
    let arm_resource_id = arm_resource_id(&draw.guid(), "rg-platform-prod", provider, &name);
    Identity {
        kind: SignInType::ManagedIdentity,
        service_principal_id: Some(draw.guid()),
        app_id: draw.guid(),
        name,
        arm_resource_id,
        user_assigned: false,
        credential: Credential::Managed,
        address: None,
        user: None,
        targets,
        cadence: Daily(1),
        phase: draw.between(0, DAY),
        risk: "none",
        crossing: "none",
    }
}
