/**
 * Variable that marks a process whose supervisor orders its stop. Its value is that process's whole configuration as
 * JSON, so that secrets never stand on a command line and a child need not load the schema.
 */
export const resolvedConfigVariable = 'HOLDFAST_RESOLVED_CONFIG'

/** Variable that says that the configuration was made by another build, whose schema may lack keys that ours has. */
export const neighbourVariable = 'HOLDFAST_NEIGHBOUR_CONFIG'
