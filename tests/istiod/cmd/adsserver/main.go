// Command adsserver configures proxies from a mesh dump: istiod's ADS and an SDS, on Unix sockets.
//
// It prints "ready" once both answer, and serves until it is killed.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"os"

	secret "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc"
	istiolog "istio.io/istio/pkg/log"
	"istio.io/istio/pkg/test"

	"recommend-sidecars/tests/istiod/internal/controlplane"
	"recommend-sidecars/tests/istiod/internal/dump"
	"recommend-sidecars/tests/istiod/internal/workloadcert"
)

// Proxies run as another user than the server, so everybody may write to a socket.
const socketMode = 0o666

func main() {
	meshDir := flag.String("mesh", "", "folder of the mesh dump")
	sidecarDir := flag.String("sidecars", "", "folder of Sidecars to apply")
	adsSocket := flag.String("ads", "", "path of the Unix socket for ADS")
	sdsSocket := flag.String("sds", "", "path of the Unix socket for SDS")
	flag.Parse()
	if err := logToStderr(); err != nil {
		log.Fatal(err)
	}
	if err := test.Wrap(func(t test.Failer) {
		if err := run(t, *meshDir, *sidecarDir, *adsSocket, *sdsSocket); err != nil {
			t.Fatal(err)
		}
	}); err != nil {
		log.Fatal(err)
	}
}

func run(t test.Failer, meshDir, sidecarDir, adsSocket, sdsSocket string) error {
	mesh, err := dump.Load(meshDir)
	if err != nil {
		return err
	}
	if sidecarDir != "" {
		if err := mesh.ApplySidecars(sidecarDir); err != nil {
			return err
		}
	}
	sds, err := listen(sdsSocket)
	if err != nil {
		return err
	}
	ads, err := listen(adsSocket)
	if err != nil {
		return err
	}
	if _, err := controlplane.Serve(t, mesh, ads); err != nil {
		return err
	}
	authority, err := workloadcert.NewAuthority()
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	secret.RegisterSecretDiscoveryServiceServer(server, authority)
	fmt.Println("ready")
	return server.Serve(sds)
}

// logToStderr keeps standard output for the line that says "ready".
func logToStderr() error {
	options := istiolog.DefaultOptions()
	options.OutputPaths = []string{"stderr"}
	return istiolog.Configure(options)
}

func listen(path string) (net.Listener, error) {
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	return listener, os.Chmod(path, socketMode)
}
