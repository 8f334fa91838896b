"""Pictures of strangers taken apart and written anew, in a process that has little to lose. Pure: no Django."""
