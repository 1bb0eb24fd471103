/** What answers a client's request; time and request id are added when it is sent. */
export interface Answer {
  type: string;
  data: object;
  /** What begins once the answer is on its way. */
  after?: () => void;
}
