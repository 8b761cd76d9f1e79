// Command adsserver configures proxies from a mesh dump: istiod's ADS and an SDS, on Unix sockets.
//
// It prints "ready" once both answer, and serves until it is killed. With -changes it reads objects to
// change from standard input, one JSON object a line, and answers each with whom istiod pushed it to.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"

	secret "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc"
	"istio.io/istio/pkg/cluster"
	istiolog "istio.io/istio/pkg/log"
	"istio.io/istio/pkg/test"

	"recommend-sidecars/tests/istiod/internal/controlplane"
	"recommend-sidecars/tests/istiod/internal/workloadcert"
)

// Proxies run as another user than the server, so everybody may write to a socket.
const socketMode = 0o666

type options struct {
	mesh      controlplane.Mesh
	adsSocket string
	sdsSocket string
	changes   bool
}

func main() {
	var o options
	flag.Func("mesh", "folder of a mesh dump; NAME=FOLDER for each of several Kubernetes clusters", o.addMesh)
	flag.StringVar(&o.mesh.SidecarDir, "sidecars", "", "folder of Sidecars to apply")
	flag.StringVar(&o.adsSocket, "ads", "", "path of the Unix socket for ADS")
	flag.StringVar(&o.sdsSocket, "sds", "", "path of the Unix socket for SDS")
	flag.BoolVar(&o.changes, "changes", false, "read changes from standard input")
	flag.Parse()
	if err := logToStderr(); err != nil {
		log.Fatal(err)
	}
	if err := test.Wrap(func(t test.Failer) {
		if err := run(t, o); err != nil {
			t.Fatal(err)
		}
	}); err != nil {
		log.Fatal(err)
	}
}

// addMesh takes the first Kubernetes cluster for the one that configures istiod.
func (o *options) addMesh(source string) error {
	name, folder, named := strings.Cut(source, "=")
	if !named {
		name, folder = "", source
	}
	if o.mesh.MeshDir == "" {
		o.mesh.Cluster, o.mesh.MeshDir = cluster.ID(name), folder
		return nil
	}
	if !named {
		return errors.New("each of several Kubernetes clusters needs a name: NAME=FOLDER")
	}
	o.mesh.Remotes = append(o.mesh.Remotes, controlplane.Remote{Cluster: cluster.ID(name), MeshDir: folder})
	return nil
}

func run(t test.Failer, o options) error {
	sds, err := listen(o.sdsSocket)
	if err != nil {
		return err
	}
	ads, err := listen(o.adsSocket)
	if err != nil {
		return err
	}
	server, err := controlplane.Serve(t, o.mesh, ads)
	if err != nil {
		return err
	}
	authority, err := workloadcert.NewAuthority()
	if err != nil {
		return err
	}
	secrets := grpc.NewServer()
	secret.RegisterSecretDiscoveryServiceServer(secrets, authority)
	failed := make(chan error)
	go func() { failed <- secrets.Serve(sds) }()
	if o.changes {
		changer := controlplane.NewChanger(server)
		go func() { failed <- applyChanges(changer) }()
	}
	fmt.Println("ready")
	return <-failed
}

// applyChanges ends with standard input.
func applyChanges(changer *controlplane.Changer) error {
	requests, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var change controlplane.Change
		if err := requests.Decode(&change); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		decision, err := changer.Apply(change)
		if err != nil {
			return err
		}
		if err := answers.Encode(decision); err != nil {
			return err
		}
	}
}

// logToStderr keeps standard output for what is answered.
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
