"""What leaves a process: events, cursors, HTTP and Socket.IO shapes, rights, errors. Pure rules."""
