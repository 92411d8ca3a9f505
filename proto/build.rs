//! Makes the code of the services, without a `protoc` on the machine.

use std::{env, error::Error, fs, path::Path};

use prost::Message as _;

/// Every file, as it is named in `import`.
const FILES: &[&str] = &["hermod/cluster/v1/cluster.proto", SOURCE];

/// What clients may know of: the service that they push to.
const SOURCE: &str = "hermod/source/grpc/v1/source.proto";

/// The code of each package is behind its feature, so that a client builds no server.
const PACKAGES: &[&str] = &["hermod.cluster.v1", "hermod.source.grpc.v1"];

fn main() -> Result<(), Box<dyn Error>> {
    for file in FILES {
        println!("cargo::rerun-if-changed={file}");
    }
    let out = env::var("OUT_DIR")?;
    let descriptors = protox::compile(FILES, ["."])?;
    fs::write(
        Path::new(&out).join("descriptors.bin"),
        descriptors.encode_to_vec(),
    )?;
    fs::write(
        Path::new(&out).join("source_descriptors.bin"),
        protox::compile([SOURCE], ["."])?.encode_to_vec(),
    )?;
    let mut code = tonic_prost_build::configure()
        .build_transport(false)
        // Bodies are shared, not copied.
        .bytes(".");
    for package in PACKAGES {
        code = code
            .client_mod_attribute(package, "#[cfg(feature = \"client\")]")
            .server_mod_attribute(package, "#[cfg(feature = \"server\")]");
    }
    code.compile_fds(descriptors)?;
    Ok(())
}
