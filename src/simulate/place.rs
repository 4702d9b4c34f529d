//! Where the callers of Harbourline Freight sit, and where its intruders do.

/// Where a caller sits. All addresses are of the ranges kept free for documentation.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) network: &'static str,
    pub(super) city: &'static str,
    pub(super) state: &'static str,
    pub(super) country: &'static str,
    pub(super) latitude: &'static str,
    pub(super) longitude: &'static str,
    pub(super) system: u32,
}

macro_rules! places {
    ($($name:ident = $network:literal $city:literal $state:literal $country:literal $latitude:literal $longitude:literal $system:literal;)+) => {
        $(pub(super) static $name: Place = Place {
            network: $network, city: $city, state: $state, country: $country,
            latitude: $latitude, longitude: $longitude, system: $system,
        };)+
    };
}

places! {
    /* Harbourline's own networks, and the clouds its jobs run in. */
    ROTTERDAM = "192.0.2." "Rotterdam" "Zuid-Holland" "NL" "51.9225" "4.47917" 64_496;
    DUBLIN = "198.51.100." "Dublin" "Dublin" "IE" "53.33306" "-6.24889" 8075;
    BOYDTON = "2001:db8:17::" "Boydton" "Virginia" "US" "36.66767" "-78.3875" 8075;
    /* Where intruders come from. */
    HOSTER = "203.0.113." "Chisinau" "Chisinau" "MD" "47.00556" "28.8575" 64_511;
    SAO_PAULO = "2001:db8:66::" "Sao Paulo" "Sao Paulo" "BR" "-23.5475" "-46.63611" 64_507;
    /* Other providers in the countries where Harbourline is at home. */
    AMSTERDAM = "2001:db8:31::" "Amsterdam" "Noord-Holland" "NL" "52.374" "4.88969" 64_500;
    CORK = "2001:db8:32::" "Cork" "Cork" "IE" "51.89797" "-8.47061" 64_501;
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Address {
    pub(super) place: &'static Place,
    pub(super) host: u8,
}
