/** Error codes of Kafka's protocol that are treated each in its own way (kafka.apache.org/protocol#protocol_error_codes). */
export const kafkaCodes = {
  none: 0,
  offsetOutOfRange: 1,
  unknownTopic: 3,
  leaderNotAvailable: 5,
  notLeader: 6,
  sessionNotFound: 70,
  sessionEpoch: 71,
} as const
