//! Tests of the results over a whole run: manifest, statement, JUnit and bundle of runs that are whole, red, or cut
//! short.

mod bundle;
mod ci;
mod day;
mod judgement;
mod junit;
mod merge;
mod policy;
mod split;
mod verify;
