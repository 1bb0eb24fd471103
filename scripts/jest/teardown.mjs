export default async function teardown() {
  await globalThis.testInfrastructure?.[Symbol.asyncDispose]();
}
