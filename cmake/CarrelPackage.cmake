# Installs every layer as a component of its own.
