//! `WorkerBee` as the harness knows it: its command line, its MCP server, its JSON, its names.

pub mod cli;
pub mod mcp;
pub mod naming;
pub mod reply;
pub mod request;
