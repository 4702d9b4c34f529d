//! The one TLS provider of the program, so that no second one is built in.

/// Makes `ring` the provider of every TLS connection. Calling it again does nothing.
pub(crate) fn provider() {
    // An error means only that a provider is there already.
    drop(rustls::crypto::ring::default_provider().install_default());
}
