package process

import "github.com/reeve-civic/reeve/connector"

// Through has the bodies of a flow in force sent through a sink.
func (d *Runner) Through(flow string, to connector.Sink, repeat string) {
	f, _ := d.Set().flows.Get(flow)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sinks[flow] = &sink{f, to, repeat}
}
