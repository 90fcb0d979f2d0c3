package sandbox

// Kill ends the process, and does not tell the box.
func (b *Box) Kill() {
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = b.p.cmd.Process.Kill()
}
