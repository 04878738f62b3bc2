// Presence lists the devices that are online, and keeps the list up to date.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// lease is a gateway's sign of life in the bucket gateways.
type lease struct {
	Epoch string `json:"epoch"`
	// seen is when it last came, by the clock of this process.
	seen time.Time
}

// presence is a device's entry in the bucket presence.
type presence struct {
	Gateway string  `json:"gateway"`
	Epoch   string  `json:"epoch"`
	Session string  `json:"session"`
	Since   float64 `json:"since"`
	Remote  string  `json:"remote"`
	State   string  `json:"state"`
}

// leaseTime is how long a lease lives after it was renewed.
const leaseTime = 10 * time.Second

// view joins the two buckets. A device is online while its presence names a gateway and an epoch whose lease lives.
type view struct {
	leases  map[string]lease
	devices map[string]presence
	shown   map[string]presence
}

func newView() *view {
	return &view{leases: map[string]lease{}, devices: map[string]presence{}, shown: map[string]presence{}}
}

// setLease takes an entry of the bucket gateways. A value that does not decode counts as absent.
func (v *view) setLease(entry jetstream.KeyValueEntry, now time.Time) {
	one := lease{seen: now}
	if decode(entry, &one) {
		v.leases[entry.Key()] = one
	} else {
		delete(v.leases, entry.Key())
	}
}

// setPresence takes an entry of the bucket presence. One without a gateway, such as a canary, is never online.
func (v *view) setPresence(entry jetstream.KeyValueEntry) {
	// A key cannot hold a colon.
	device := strings.ReplaceAll(entry.Key(), "=", ":")
	var one presence
	if decode(entry, &one) {
		v.devices[device] = one
	} else {
		delete(v.devices, device)
	}
}

func decode(entry jetstream.KeyValueEntry, value any) bool {
	return entry.Operation() == jetstream.KeyValuePut && json.Unmarshal(entry.Value(), value) == nil
}

func (v *view) online(device string, now time.Time) bool {
	one, known := v.devices[device]
	if !known {
		return false
	}
	holder, known := v.leases[one.Gateway]
	return known && holder.Epoch == one.Epoch && now.Sub(holder.seen) < leaseTime
}

// show prints a line for each device that came (+) or went (-) since the last call.
func (v *view) show(out io.Writer, now time.Time) {
	for _, device := range sorted(v.shown) {
		if !v.online(device, now) {
			fmt.Fprintf(out, "- %s\n", device)
			delete(v.shown, device)
		}
	}
	for _, device := range sorted(v.devices) {
		one := v.devices[device]
		if !v.online(device, now) || v.shown[device].Session == one.Session {
			continue
		}
		since := time.UnixMilli(int64(one.Since)).UTC().Format(time.RFC3339)
		fmt.Fprintf(out, "+ %-20s %-20s %s %s\n", device, one.Gateway, since, one.Remote)
		v.shown[device] = one
	}
}

func sorted(devices map[string]presence) []string {
	names := make([]string, 0, len(devices))
	for name := range devices {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// watch prints until the context ends, or only the devices that are online now.
func watch(ctx context.Context, nc *nats.Conn, prefix string, once bool, out io.Writer) error {
	gateways, err := openBucket(ctx, nc, prefix+"_gateways")
	if err != nil {
		return err
	}
	defer gateways.Stop()
	devices, err := openBucket(ctx, nc, prefix+"_presence")
	if err != nil {
		return err
	}
	defer devices.Stop()
	current := newView()
	// A lease also expires by the clock of this process, such as while NATS is away.
	clock := time.NewTicker(time.Second)
	defer clock.Stop()
	// A watch sends nil after the entries that the bucket had at its start.
	isReady := false
	for missing := 2; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-clock.C:
		case entry := <-gateways.Updates():
			if entry != nil {
				current.setLease(entry, time.Now())
			} else {
				missing--
			}
		case entry := <-devices.Updates():
			if entry != nil {
				current.setPresence(entry)
			} else {
				missing--
			}
		}
		if missing > 0 {
			continue
		}
		current.show(out, time.Now())
		if once {
			return nil
		}
		if !isReady {
			log.Print("ready")
			isReady = true
		}
	}
}

func openBucket(ctx context.Context, nc *nats.Conn, name string) (jetstream.KeyWatcher, error) {
	stream, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	bucket, err := stream.KeyValue(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("the bucket %s cannot be opened (does a gateway run?): %w", name, err)
	}
	return bucket.WatchAll(ctx)
}

func run(ctx context.Context, out io.Writer) error {
	once := flag.Bool("once", false, "print the devices that are online, and end")
	flag.Parse()
	prefix, inbox := os.Getenv("VOXBUS_NATS_PREFIX"), "_INBOX.presence"
	if prefix == "" {
		prefix = "voxbus"
	} else {
		inbox = prefix + "." + inbox
	}
	url := os.Getenv("VOXBUS_NATS_URL")
	if url == "" {
		url = nats.DefaultURL
	}
	nc, err := nats.Connect(url,
		nats.Name("presence"),
		nats.UserInfo(os.Getenv("VOXBUS_NATS_USER"), os.Getenv("VOXBUS_NATS_PASSWORD")),
		nats.CustomInboxPrefix(inbox),
		nats.MaxReconnects(-1),
	)
	if err != nil {
		return err
	}
	defer nc.Close()
	return watch(ctx, nc, prefix, *once, out)
}

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		log.Fatal("presence: ", err)
	}
}
