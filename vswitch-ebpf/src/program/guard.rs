//! Guards shut a port.
