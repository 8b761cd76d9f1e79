// Command podapp is the application in a recorded pod: it serves ports and makes calls.
//
//	podapp serve '[{"port": 8080, "protocol": "http"}]'
//	podapp call  '[{"protocol": "http", "address": "10.96.0.9:8080", "host": "cart", "count": 6}]'
//
// `serve` prints "ready" and runs until it is killed. `call` makes the calls one after the other and
// prints the outcome of each as JSON. It resolves no names: like an application after its DNS lookup, it
// is given the address to dial and the name to put into Host, :authority or the SNI.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: podapp serve|call JSON")
	}
	var err error
	switch os.Args[1] {
	case "serve":
		err = runServers([]byte(os.Args[2]))
	case "call":
		err = runCalls([]byte(os.Args[2]))
	default:
		err = fmt.Errorf("unknown command %q: serve or call", os.Args[1])
	}
	if err != nil {
		log.Fatal(err)
	}
}

func runServers(spec []byte) error {
	var ports []port
	if err := json.Unmarshal(spec, &ports); err != nil {
		return err
	}
	failed := make(chan error)
	for _, p := range ports {
		serve, err := p.open()
		if err != nil {
			return err
		}
		go func() { failed <- serve() }()
	}
	fmt.Println("ready")
	return <-failed
}

func runCalls(spec []byte) error {
	var calls []call
	if err := json.Unmarshal(spec, &calls); err != nil {
		return err
	}
	for _, c := range calls {
		outcomes, err := c.run()
		if err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(outcomes); err != nil {
			return err
		}
	}
	return nil
}
