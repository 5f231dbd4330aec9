//! The embedded stack: everything that a gate needs and that the user did not bring.
