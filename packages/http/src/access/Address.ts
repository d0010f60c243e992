/**
 * Addresses travel through logs, histories and traces that are not ours, and so do the ids in them. A key or a token that
 * somebody wrote there, apart from the parameter `token` of a link, is taken for no id and repeated nowhere.
 */
const SECRET = /sotto_(?:[0-9a-f]{16}|access|job|link)_[\w-]{32}/

/** Whether a path with its query holds an API key or a token where none belongs. */
export const holdsSecret = (address: string): boolean => SECRET.test(address.replaceAll(/([?&]token=)[^&]*/g, "$1"))
