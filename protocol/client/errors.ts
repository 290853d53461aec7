/** The frame or command is not of the protocol: the connection ends with 3501. */
export class ProtocolError extends Error {
  override name = 'ProtocolError'
}
